"""Object storage on the loopback that writes down what it is asked and fails as it is told.

A process of its own, since GDAL holds the interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.locations import Remote
from pipeline.store.files import clients, files_at, objects

KEY, SECRET, TOKEN = "AKIANOBODYMAYSEEIT00", "neverToBeWrittenAnywhere/1", "tokenThatNobodyMaySee"
BUCKET = "scenes"


@dataclass(frozen=True)
class Storage:
    """A server, by its address."""

    url: str
    log: Path

    def fail(self, *rules: dict[str, Any]) -> None:
        """From now on, by each rule.

        Requests of a ``method`` whose path does ``match``, after ``skip`` of them and ``count`` times (always where
        absent).

        They ``hang`` for so many seconds, get a ``status`` or an answer that is ``lost`` after all was done, or make
        the server ``die``.
        """
        request = urllib.request.Request(f"{self.url}/-/rules", data=json.dumps(rules).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    @property
    def asked(self) -> list[tuple[str, str, int]]:
        """(method, path with query, status) of each request, in order."""
        return [(method, path, status) for method, path, status, _ in self._noted()]

    @property
    def keys(self) -> list[str | None]:
        """Who signed each request: the access key, or None."""
        return [key for *_, key in self._noted()]

    def _noted(self) -> list[tuple[str, str, int, str | None]]:
        return [tuple(json.loads(line)) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def forget(self) -> None:
        """Begin a new list of requests, with no fault."""
        self.fail()
        self.log.write_text("")

    def environment(self) -> dict[str, str]:
        """What a command needs to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


@contextmanager
def served(folder: Path) -> Iterator[Storage]:
    """A server with one bucket."""
    log = folder / "requests.jsonl"
    command = [sys.executable, "-P", "-u", str(Path(__file__).with_name("storage_server.py")), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            found = Storage(server.stdout.readline().strip(), log)
            urllib.request.urlopen(urllib.request.Request(f"{found.url}/{BUCKET}", method="PUT"), timeout=20).close()
            yield found
        finally:
            server.kill()


@contextmanager
def reached(storage: Storage, patience: int = 3) -> Iterator[None]:
    """This process reaches a server, and asks so often again before it gives up."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in storage.environment().items():
            patch.setenv(name, value)
        patch.setattr(clients, "RETRIES", patience)
        patch.setattr(clients, "FIRST_PAUSE_S", 0.02)
        forget()
        yield
    forget()


def forget() -> None:
    """Clients know the environment that they were made in."""
    clients.client.cache_clear()
    objects.objects.cache_clear()


def contents(place: Remote | Path) -> dict[str, bytes]:
    """All there is, by key."""
    files = files_at(place)
    return {key: files.get(key) or b"" for key in files.list()}


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
