"""Commands that run beside a test, and what they leave."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.commands import Command, settled

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """In which commands find this checkout."""
    return settled({**os.environ, **more})


@contextmanager
def started(command: list[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A command in the background, gone with all of its children afterwards."""
    process = Command(
        command, cwd=ROOT, env=how.pop("env", None) or environment(), **{"start_new_session": True, **how}
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for(what: Callable[[], bool], seconds: float) -> None:
    """Until something holds; the time is a bound for machines that are busy."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def digest(store: Path) -> dict[str, str]:
    """SHA-256 of each chunk of a store."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.glob("[0-9]*/*/c/**/*"))
        if path.is_file()
    }


class Dask:
    """A scheduler and its workers, as a person starts them on the command line."""

    def __init__(self, folder: Path, *options: str, protocol: str = "tcp") -> None:
        self.folder, self.options, self.protocol = folder, list(options), protocol
        self._stack = ExitStack()
        self._logs = 0

    def __enter__(self) -> Dask:
        where = [
            "--host",
            f"{self.protocol}://127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(self._file),
        ]
        self.scheduler = self._start("scheduler", *where)
        wait_for(lambda: self._said() is not None, 60)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._said())

    def worker(self, *more: str, threads: int = 1, **variables: str) -> subprocess.Popen[Any]:
        """One more worker."""
        where = [
            "--host",
            f"{self.protocol}://127.0.0.1",
            "--no-dashboard",
            "--nthreads",
            str(threads),
            "--scheduler-file",
            str(self._file),
        ]
        return self._start("worker", *where, "--local-directory", str(self.folder), *more, **variables)

    def _said(self) -> str | None:
        """What the scheduler wrote, when all of it is there."""
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(self._file.read_text())["address"])
        return None

    @property
    def _file(self) -> Path:
        return self.folder / "scheduler.json"

    def _start(self, what: str, *arguments: str, **variables: str) -> subprocess.Popen[Any]:
        self._logs += 1
        log = self._stack.enter_context((self.folder / f"{what}-{self._logs}.log").open("w"))
        command = [sys.executable, "-m", "dask", what, *arguments, *self.options]
        return self._stack.enter_context(started(command, stdout=log, stderr=log, env=environment(**variables)))
