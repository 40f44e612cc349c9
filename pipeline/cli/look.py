"""The line at the end of a command that says how to look at what it made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.util import find_spec

VIEW_PACKAGES = ("starlette", "uvicorn")
"""What ``view`` needs beside what every command does: the extra ``view``."""


def look_line(files: Mapping[str, str]) -> str:
    """What to type next, by the files that a report names: ``view`` where it can run, else the page or ``stats``."""
    if all(map(find_spec, VIEW_PACKAGES)):
        return f"look: wholecloth view {shlex.quote(files['store'])}"
    if "page" in files:
        return f"look: {files['page']}"
    return f"look: wholecloth stats {shlex.quote(files['store'])}"
