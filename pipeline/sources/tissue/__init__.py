"""The tissue of a slide: estimated once at low resolution, and kept by the store as it is."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from pipeline.config.tissue import TissueConfig, parse_measure
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import PackedMask
from pipeline.interfaces import Source
from pipeline.sources.lattice import Lattice, read_lattice
from pipeline.sources.tissue.rule import Tissue, tissue_of

__all__ = ["estimate_tissue"]

RESOLUTION_UM, RESOLUTION_PX = 8.0, 16.0
"""Side of a cell, where the size of a pixel is known in µm, and where it is not."""
MIN_AREA_UM2, MIN_AREA_PX = 10_000.0, 25_600.0
"""Of a piece of tissue, likewise."""
MAX_CELLS = 2**22
"""Cells of an estimate: about 150 MiB while it is made."""
IMAGE_SIDE = 512
"""Longest side of the picture that is kept of the raster, px."""


def estimate_tissue(source: Source, settings: TissueConfig) -> dict[str, Any]:
    """Estimate the tissue of a raster.

    Parameters
    ----------
    source
        Of any kind, with red, green and blue among its bands.
    settings
        ``source.tissue``.

    Returns
    -------
    dict
        Plain values, as a store keeps them.

    Raises
    ------
    SourceError
        It has no such bands, no tissue, or cannot be read.
    """
    bands, step = _colour_bands(source), _step(source.grid, settings)
    lattice = read_lattice(source, bands, step)
    white = _white(source, lattice)
    tissue = tissue_of(
        lattice.data,
        lattice.valid,
        white,
        saturation=None if settings.saturation == "auto" else settings.saturation,
        pens=settings.pens,
        min_cells=_min_area(source.grid, settings) / lattice.step**2,
    )
    if not tissue.mask.any():
        raise _no_tissue_error(lattice, tissue, settings)
    return _document(lattice, tissue, settings, white)


def _document(lattice: Lattice, tissue: Tissue, settings: TissueConfig, white: float) -> dict[str, Any]:
    return {
        **PackedMask.of(tissue.mask).as_dict(),
        "scale": list(lattice.scale),
        "saturation": round(tissue.saturation, 4),
        "otsu": settings.saturation == "auto",
        "share": round(float(tissue.mask.mean()), 6),
        "ink": round(float(tissue.ink.mean()), 6),
        "origin": lattice.origin,
        "image": base64.b64encode(_image(lattice, white)).decode(),
    }


def _image(lattice: Lattice, white: float) -> bytes:
    """The raster as a small JPEG."""
    from PIL import Image

    shares = np.clip(np.moveaxis(lattice.data, 0, -1) / white, 0, 1)
    image, buffer = Image.fromarray((255 * shares).astype(np.uint8)), io.BytesIO()
    image.thumbnail((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BOX)
    image.save(buffer, format="JPEG", quality=80)
    return buffer.getvalue()


def _colour_bands(source: Source) -> tuple[int, ...]:
    if len(source.rgb) == 3:
        return source.rgb
    if source.bands == 3 and not source.rgb:
        return 0, 1, 2
    raise SourceError(
        f"source.only is tissue, which is told by its colour, but of the {source.bands} bands that are read it is not "
        f"known which are red, green and blue. Name these three as source.bands, or give polygons or a mask picture "
        f"as source.only."
    )


def _white(source: Source, lattice: Lattice) -> float:
    """255 of bytes; else nearly the brightest that there is."""
    if source.dtype == np.uint8 or not lattice.valid.any():
        return 255.0
    return max(float(np.percentile(lattice.data.max(axis=0)[lattice.valid], 99)), 1e-30)


def _step(grid: Grid, settings: TissueConfig) -> int:
    """Px per cell: as asked for, or coarser where that would be too many cells for an automatic one."""
    least = int(np.ceil(np.sqrt(grid.height * grid.width / MAX_CELLS)))
    size = _pixel_um(grid)
    if settings.resolution == "auto":
        return max(round(RESOLUTION_PX if size is None else RESOLUTION_UM / size), least, 1)
    length, is_px = parse_measure(settings.resolution, "um")
    step = max(round(length if is_px else length / _known(size, "resolution", settings.resolution)), 1)
    if step < least:
        raise SourceError(
            f"source.tissue.resolution is {settings.resolution}, which makes more than {MAX_CELLS:,} cells of "
            f"{grid.height} × {grid.width} px. Give {least} px or more, or auto."
        )
    return step


def _min_area(grid: Grid, settings: TissueConfig) -> float:
    """The least size of a piece, px of the raster."""
    size = _pixel_um(grid)
    if settings.min_area == "auto":
        return MIN_AREA_PX if size is None else MIN_AREA_UM2 / size**2
    area, is_px = parse_measure(settings.min_area, "um2")
    return area if is_px else area / _known(size, "min_area", settings.min_area) ** 2


def _pixel_um(grid: Grid) -> float | None:
    """Side of a pixel, µm; None where that is not known."""
    return max(grid.pixel_size) if grid.unit == "um" else None


def _known(size: float | None, key: str, value: str) -> float:
    if size is None:
        raise SourceError(
            f"source.tissue.{key} is {value}, but the size of the raster's pixels is not known in µm. Give it in px."
        )
    return size


def _no_tissue_error(lattice: Lattice, tissue: Tissue, settings: TissueConfig) -> SourceError:
    by = "Otsu's threshold" if settings.saturation == "auto" else "source.tissue.saturation"
    ink = f", and {tissue.ink.mean():.1%} of the raster is taken for marks of pens" * bool(tissue.ink.any())
    return SourceError(
        f"source.only is tissue, but there is none: no piece of source.tissue.min_area ({settings.min_area}) is more "
        f"saturated than {tissue.saturation:.3f}, which is {by}, on {lattice.origin}{ink}. Give a lower "
        f"source.tissue.saturation, a smaller min_area, pens: false, or polygons or a mask picture as source.only."
    )
