"""The disk is full, or cannot be written any more, at any moment: exit 75, and what is committed is kept."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.faults import harness

pytestmark = pytest.mark.slow
MOMENTS = [("write", 21), ("commit", 5), ("overviews", 0), ("finishing", 0), ("sidecar", 0)]


def mounted(*words: object) -> bool:
    return (
        shutil.which("mount") is not None
        and subprocess.run(["mount", *map(str, words)], capture_output=True).returncode == 0
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if not mounted("-t", "tmpfs", "-o", "size=4m", "tmpfs", place):
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, leave: int = 0) -> Path:
    """Take all room but so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            write_on(file)
        file.truncate(file.tell() - leave)
    return ballast


def write_on(file: BinaryIO) -> None:
    while True:
        file.write(bytes(4096))


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(("at", "after"), MOMENTS)
def test_a_disk_that_fills_up_at_any_moment_ends_the_run_and_the_next_goes_on(
    calm: harness.Calm, tmp_path: Path, small: Path, at: str, after: int
) -> None:
    path = harness.config(tmp_path, calm.raster, output={"path": str(small / "job.zarr")})
    started = harness.start(path, at, after)
    started.reached()
    ballast = fill(small)
    started.go()
    ended = started.ended()
    assert ended.code == 75, ended.err
    ended.told("job.zarr", "No space left", "run the same command again")
    ballast.unlink()
    assert harness.again(path).complete
    calm.same(small)


@pytest.mark.nightly("kills")
def test_a_disk_without_room_for_the_empty_store_leaves_nothing_behind(
    calm: harness.Calm, tmp_path: Path, small: Path
) -> None:
    path = harness.config(tmp_path, calm.raster, output={"path": str(small / "job.zarr")})
    ballast = fill(small, leave=20_480)
    ended = harness.run(path)
    assert ended.code == 75, ended.err
    ended.told("job.zarr", "No space left", "run the same command again")
    assert [file.name for file in small.iterdir()] == ["ballast"]
    ballast.unlink()
    assert harness.again(path).complete
    calm.same(small)


@pytest.mark.nightly("kills")
def test_a_disk_that_becomes_read_only_ends_the_run_and_the_next_goes_on(
    calm: harness.Calm, tmp_path: Path, small: Path
) -> None:
    path = harness.config(tmp_path, calm.raster, output={"path": str(small / "job.zarr")})
    started = harness.start(path, "commit", 5)
    started.reached()
    assert mounted("-o", "remount,ro", small)
    started.go()
    ended = started.ended()
    assert ended.code == 75, ended.err
    ended.told("job.zarr", "Read-only", "run the same command again")
    assert mounted("-o", "remount,rw", small)
    assert harness.again(path).resumed == 5
    calm.same(small)
