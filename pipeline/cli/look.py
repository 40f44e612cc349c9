"""The line at the end of a command that says how to look at what it made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

LOOK_COMMAND = "stats"
"""The command that shows a store."""


def look_line(files: Mapping[str, str], has_classes: bool) -> str:
    """What to type next, by the files that a report names; of a store without classes, its picture."""
    if has_classes or "quicklook" not in files:
        return f"look: wholecloth {LOOK_COMMAND} {shlex.quote(files['store'])}"
    return f"look: {files['quicklook']}"
