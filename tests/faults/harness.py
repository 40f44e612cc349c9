"""The public command in a process of its own, held at a moment, harmed from outside.

And whether what is left is what a calm run leaves.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.load import load_config
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from pipeline.store.status import status
from tests import scenes
from tests.commands import Command, settled
from tests.faults.moments import GO, HELD

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
WAIT_S = 180
"""Seconds after which a run that neither comes to its moment nor ends is a failure of the test."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run said, and how it ended."""

    code: int
    """Negative: the signal that killed it."""
    out: str
    err: str

    def told(self, *words: str) -> None:
        """The last line says it, in a log of a few lines without a traceback."""
        lines = self.err.strip().splitlines()
        assert lines, "nothing was said"
        assert "Traceback" not in self.err, self.err
        assert len(lines) <= 8, self.err
        for word in words:
            assert word in lines[-1], self.err


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is under way."""

    process: Command
    place: Path
    """Where it says that it is held."""

    def reached(self) -> None:
        """Wait until it is held."""
        self.until(self.place / HELD)

    def until(self, file: Path) -> None:
        """Wait for a file while the run is at work."""
        deadline = time.monotonic() + WAIT_S
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{file.name} never came: {self.process.communicate()[1]}")
            time.sleep(0.01)

    def go(self) -> None:
        """Let it go on."""
        (self.place / GO).touch()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def ended(self) -> Ended:
        """Wait for its end; one that does not come is killed."""
        try:
            out, err = self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not end: {self.process.communicate()[1]}") from None
        return Ended(self.process.returncode, out, err)


def config(folder: Path, raster: Path | str, **sections: dict[str, Any]) -> Path:
    """A job of 12 blocks; sections are merged over it.

    Its store is ``job.zarr`` in the folder, unless they say otherwise.
    """
    said: dict[str, Any] = {
        "source": {"path": str(raster)},
        "model": {
            "kind": "python",
            "factory": f"{HERE / 'network.py'}:make",
            "classes": scenes.CLASSES,
            "input": {"mean": 500, "std": 200},
        },
        "tile": {"size": 96, "halo": "exact"},
        "output": {"path": str(folder / "job.zarr"), "layers": ["mask", "confidence"], "chunk": 64, "block": 128},
        "execution": {"device": "cpu", "engine": "serial", "precision": "float32"},
    }
    for key, values in sections.items():
        said[key] = {**said.get(key, {}), **values}
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def start(path: Path, at: str = "", after: int = 0, *options: str, **environment: str) -> Run:
    """Start ``run`` on a config.

    Parameters
    ----------
    path
        Of the config.
    at, after
        The moment at which it is held, and how often that passes before; none by default.
    environment
        Variables beside those of this process.
    """
    count = sum(1 for _ in path.parent.glob("moment*"))
    place = path.parent / f"moment{count}"
    place.mkdir()
    store = yaml.safe_load(path.read_text())["output"]["path"]
    said = {"FAULT_STORE": store, **({"FAULT_AT": f"{at}:{after}:{place}"} if at else {}), **environment}
    command = [sys.executable, str(HERE / "held.py"), "run", str(path), *options]
    how = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "cwd": path.parent,
        "text": True,
    }
    return Run(Command(command, env=settled({**os.environ, **said}), **how), place)


def run(path: Path, *options: str, **environment: str) -> Ended:
    """``run`` on a config, to its end."""
    return start(path, "", 0, *options, **environment).ended()


def again(path: Path, *overrides: str) -> Report:
    """The same job in this process, which spares the imports; raises as it does."""
    job = prepare_job(load_config(path, list(overrides)))
    with Progress() as progress:
        return execute(job, progress)


def digest(store: Path) -> dict[str, str]:
    """Every file of every level.

    Chunks, what arrays say of themselves, and commit records, with the checksums of what was read in them.
    """
    files = (
        file
        for file in sorted(store.rglob("*"))
        if file.is_file() and re.match(r"\d+/(?!mask/lease/)", str(file.relative_to(store)))
    )
    return {str(file.relative_to(store)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@dataclass(frozen=True, slots=True)
class Calm:
    """A run without any fault."""

    raster: Path
    files: dict[str, str]

    def same(self, folder: Path) -> None:
        """The store of a folder is complete and has the same files with the same bytes, no more and no fewer."""
        found = digest(folder / "job.zarr")
        assert status(folder / "job.zarr").complete
        assert {name for name in found.keys() | self.files.keys() if found.get(name) != self.files.get(name)} == set()
