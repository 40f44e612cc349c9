"""Where tests write: a folder in memory where there is room, else on disk, removed when they end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

MEMORY = Path("/dev/shm")  # a file system in memory, of every Linux
ROOM = 4 << 30
"""Bytes that all tests of a run may hold there at once.

A disk's fsync takes 0.2 ms and more, and there are 160,000 of them.
"""


def root() -> Path:
    """A new folder: in memory where its file system and the machine have room, else where temporary files lie."""
    roomy = (
        MEMORY.is_dir()
        and os.access(MEMORY, os.W_OK)
        and free(MEMORY) >= ROOM
        and psutil.virtual_memory().available >= 2 * ROOM
    )
    return Path(tempfile.mkdtemp(prefix="wholecloth-tests-", dir=MEMORY if roomy else None))


def free(folder: Path) -> int:
    """Bytes that the file system of a folder has free."""
    return shutil.disk_usage(folder).free


def held(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a test passed."""
    report = yield
    item.stash[PASSED] = item.stash.get(PASSED, True) and report.passed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Empty the folder of a test that passed.

    The folder stays, so that no other test gets one of its name: what a process knows of a path it may keep.
    """
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    yield
    if folder is not None and item.stash.get(PASSED, False):
        for path in folder.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()


class Temporary:
    """The folder of one run of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self.folder = root()
        self.free = free(self.folder)
        config.option.basetemp = str(self.folder / "tests")

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End the run where tests hold more than they may.

        Memory that nobody counts ends in the kernel killing somebody.
        """
        if self.folder.is_relative_to(MEMORY) and self.free - free(MEMORY) > ROOM and held(self.folder) > ROOM:
            pytest.exit(
                f"{self.folder} holds more than {ROOM >> 30} GiB after {nodeid}; --basetemp names a folder on disk", 1
            )

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
