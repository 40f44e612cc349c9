"""A store that cannot be made leaves nothing behind, whatever is still being written into it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from pipeline.store import create_local


def test_a_write_that_was_under_way_leaves_no_part_of_a_store_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, removals = shutil.rmtree, list[Path]()

    def removed(folder: Path, ignore_errors: bool = False) -> None:
        """Another thread puts a file into the folder while its files are removed."""
        removals.append(folder)
        if len(removals) > 1:
            remove(folder, ignore_errors=ignore_errors)

    def build(partial: Path) -> None:
        partial.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(create_local.shutil, "rmtree", removed)
    with pytest.raises(OSError, match="No space left"):
        create_local.create(tmp_path / "a.zarr", build)
    assert len(removals) == 2
    assert not [*tmp_path.iterdir()]
