"""What a file holds beside what is read of it: pages, planes, subdatasets."""

from __future__ import annotations

import re

from rasterio.io import DatasetReader

from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.gdal.pixel_size import DESCRIPTION, ome_pixels

PAGE_PREFIX = "GTIFF_DIR:"
"""Begins GDAL's name of a page of a TIFF."""
SELECTED = {
    "channels": ("channel", 0),
    "slices": ("z", "max"),
    "planes": ("z", "max"),
    "frames": ("time", 0),
    "times": ("time", 0),
}
"""What a file has several of, and a part of ``source.select`` that chooses one."""
_PAGE = re.compile(r"\((\d+)P x (\d+)L")
"""The size of a page, as GDAL describes it."""


def left_out(dataset: DatasetReader) -> list[str]:
    """What of a file is not read, in words; nothing where all of it is."""
    if dataset.name.upper().startswith(PAGE_PREFIX):
        return []
    pages, inner = _pages(dataset), inner_names(dataset)
    described = _described(dataset)
    if dataset.driver == "GTiff" and len(inner) > 1:
        same_size = f" ({pages} of them of its size)" if pages < len(inner) else ""
        return [
            f"the file has {len(inner)} pages{same_size}{described}, and only the first is read: {_ways(described)}"
        ]
    if inner:
        by_name = "; kind: zarr reads its arrays by name" if dataset.driver in ("Zarr", "netCDF", "HDF5") else ""
        return [f"the file has {len(inner)} subdatasets beside what is read, such as {mask_urls(inner[0])}{by_name}"]
    if described:
        return [
            f"the file holds more planes than its {dataset.count} bands{described}, which GDAL does not "
            f"see: {_ways(described)}"
        ]
    return []


def _ways(described: str) -> str:
    """How others are read."""
    if not described:
        return "source.select: {page: 1} reads the next, {page: [0, 1]} makes bands of both, {page: max} one of all"
    chosen = [f"{key}: {value}" for word, (key, value) in SELECTED.items() if f" {word}" in described]
    return f"source.select chooses, such as {{{', '.join(chosen or ['page: 1'])}}}"


def inner_names(dataset: DatasetReader) -> list[str]:
    """GDAL's names of what lies in a file, in its order; folders of a Zarr come in any."""
    return sorted(dataset.subdatasets) if dataset.driver == "Zarr" else list(dataset.subdatasets)


def _pages(dataset: DatasetReader) -> int:
    """Pages of a TIFF that have the size of the first."""
    sizes = [match.groups() for text in dataset.tags(ns="SUBDATASETS").values() if (match := _PAGE.search(text))]
    return sizes.count((str(dataset.width), str(dataset.height)))


def _described(dataset: DatasetReader) -> str:
    """What ImageJ or OME-XML says of channels, planes and times, where that is more than the bands; else nothing."""
    text = dataset.tags().get(DESCRIPTION, "")
    counts = _of_imagej(text) if text.startswith("ImageJ=") else _of_ome(text)
    total = 1
    for count in counts.values():
        total *= count
    if total <= dataset.count:
        return ""
    return (
        f": {' × '.join(f'{count} {name}' for name, count in counts.items() if count > 1)}, by "
        f"{'ImageJ' if text.startswith('ImageJ=') else 'OME-XML'}"
    )


def _of_imagej(text: str) -> dict[str, int]:
    numbers = {
        name: int(value) for name, value in re.findall(r"^(images|channels|slices|frames)=(\d+)\s*$", text, re.M)
    }
    counts = {name: numbers[name] for name in ("channels", "slices", "frames") if name in numbers}
    return counts or {"images": numbers.get("images", 1)}


def _of_ome(text: str) -> dict[str, int]:
    pixels = ome_pixels(text)
    if pixels is None:
        return {}
    names = {"channels": "SizeC", "planes": "SizeZ", "times": "SizeT"}
    return {name: int(value) for name, key in names.items() if (value := pixels.get(key, "1")).isdigit()}
