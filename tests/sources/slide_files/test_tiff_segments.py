"""Segments of a TIFF are read under the lock of its handle, with all that tifffile looks up in the file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pipeline.sources.slide_files.tiff_segments import read_segment


def test_what_tifffile_looks_up_in_the_file_is_looked_up_under_the_lock(tmp_path: Path, monkeypatch: Any) -> None:
    image = np.full((32, 32, 3), 90, "uint8")
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", compression="jpeg", tile=(16, 16))
    lock, locked = threading.Lock(), list[bool]()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        read = file.filehandle.read

        def watched(size: int = -1) -> bytes:
            locked.append(lock.locked())
            return read(size)

        page = file.pages.first
        monkeypatch.setattr(type(file.filehandle), "read", lambda handle, size=-1: watched(size))
        segment = read_segment(page, 1, lock)
    assert segment is not None
    assert np.abs(segment.astype(int) - 90).max() < 4
    assert len(locked) >= 2  # the tile, and whether JPEGs are JFIF
    assert all(locked)
