"""The interpreter of a reader: this one, Debian's, or another version with packages of its own.

Environments lie in the user's cache, outside of the checkout; one is made once, by uv.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.programs import interpreter, python_of_qgis
from tests.readers.answer import answer
from tests.readers.table import Reader

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wholecloth-readers"
MARK = "complete"
SECONDS = 600
"""For an environment to be downloaded, or for a reader to answer."""


class Unavailable(LookupError):
    """Another version of Python is not on this machine, or its packages cannot be fetched."""


def ask(reader: Reader, paths: list[str]) -> dict[str, Any]:
    """What a reader says of files, from within its own interpreter."""
    if reader.python is None:
        return answer(reader.module, paths)
    python = python_of_qgis() if reader.python == "debian" else environment(reader.python, reader.packages)
    if python is None:
        raise LookupError("QGIS is missing: apt-get install python3-qgis")
    with tempfile.TemporaryDirectory() as home:
        variables = {"PATH": "/usr/bin:/bin", "HOME": home, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
        return dict(json.loads(run(str(python), "-m", "tests.readers.answer", reader.module, *paths, env=variables)))


def environment(version: str, packages: tuple[str, ...]) -> Path:
    """The interpreter of an environment with some packages."""
    base = interpreter(version)
    if base is None:
        raise Unavailable(f"python{version} is missing, which {', '.join(packages)} needs: pyenv install {version}")
    key = hashlib.sha256(repr((base, packages)).encode()).hexdigest()[:12]
    folder = CACHE / f"{version}-{key}"
    python = folder / "bin" / "python"
    if not (folder / MARK).exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            run(uv(), "venv", "--quiet", "--python", base, str(folder))
            run(uv(), "pip", "install", "--quiet", "--python", str(python), *packages)
        except RuntimeError as error:
            raise Unavailable(f"{', '.join(packages)} cannot be installed: {error}") from error
        (folder / MARK).touch()
    return python


def uv() -> str:
    """The uv that made the environment of these tests, or the one on the path."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else "uv"


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """The last line that a command prints; its errors where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return (done.stdout.splitlines() or [""])[-1]
