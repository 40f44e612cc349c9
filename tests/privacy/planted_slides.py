"""Slides that hold a person's name in every place where their form has room for one; one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from tests import slides
from tests.privacy.planted import IN_FILE, pixels

MPP = 0.2528
EXPERIMENTER = f'<Experimenter ID="Experimenter:0" LastName="{IN_FILE}"/>'


def levels() -> list[np.ndarray]:
    """(rows, cols, 3) of level 0 and of one of half its size."""
    image = np.moveaxis(pixels(), 0, -1)
    return [image, slides.squares(image, 2)]


def svs(path: Path) -> Path:
    """An image description, and a label and a macro image whose pixels nobody can decode."""
    path = slides.aperio(path.with_suffix(".svs"), levels(), MPP, user=f"{IN_FILE}|Patient = {IN_FILE}")
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for page in file.pages[-2:]:
            for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                raw[start : start + size] = (IN_FILE.encode() * size)[:size]
    path.write_bytes(raw)
    return path


def ome(path: Path) -> Path:
    """OME-XML with an experimenter, and names and descriptions of its images, a second one among them."""
    path, sizes = path.with_suffix(".ome.tif"), {"PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
    with tifffile.TiffWriter(path, ome=True) as file:
        for image in (levels()[0], np.full((64, 64, 3), 251, np.uint8)):
            named = {"axes": "YXS", "Name": f"label {IN_FILE}", "Description": IN_FILE, **sizes}
            file.write(image, photometric="rgb", tile=(64, 64), compression="zlib", metadata=named)
    text = tifffile.tiffcomment(path)
    tifffile.tiffcomment(path, text.replace("<Image ", f"{EXPERIMENTER}<Image ", 1).encode())
    return path


def dicom(path: Path) -> Path:
    """A patient, and a label, in a series of files of which one is named."""
    return slides.dicom(path.parent, levels(), MPP, user=IN_FILE, stem=f"{path.stem}_")


MAKERS: dict[str, Callable[[Path], Path]] = {"svs": svs, "ome": ome, "dicom": dicom}
"""By name. Each is given a path, whose ending it may change, and returns that of what is read."""
