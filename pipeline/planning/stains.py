"""Stains of a slide for ``model.input.normalise``, found on its tissue at low resolution, whatever the job reads.

A slide is read at 1 µm per px and averaged by two, and any other raster is reduced by whole pixels. Glass and marks of
pens do not count: they are no tissue (`pipeline.sources.tissue`), and around its cells their colours are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config import NormaliseConfig, SourceConfig
from pipeline.config.areas import TISSUE
from pipeline.config.stains import TARGETS
from pipeline.config.tissue import TissueConfig
from pipeline.errors import ConfigError, ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.inference.colour_transfer import ColourTransfer
from pipeline.interfaces import Source
from pipeline.planning.counted_area import counted_area
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.runtime.resources import cores
from pipeline.sources import open_source
from pipeline.sources.lattice import cell_means, cell_windows
from pipeline.sources.only import open_areas
from pipeline.sources.only.area import RequestedArea, SourceAreas, intersected
from pipeline.sources.tissue import estimate_tissue
from pipeline.sources.tissue.mask import tissue_area
from pipeline.sources.tissue.rule import ink_colours
from pipeline.statistics.colours import count_colours
from pipeline.statistics.stains import STAIN_METHODS, transfer_of
from pipeline.statistics.stains.macenko import stained

COARSE_UM = 2.0
"""µm per px at which stains are found."""
FINE_UM = COARSE_UM / 2
"""µm per px at which slides are read for that."""
SIZE_ROUNDING = 1.001
"""Share by which a size may differ from what is asked."""
COARSEST_UM = 4.0
"""Above this a pixel mixes nuclei with what is around them, and the angle between both stains shrinks."""
LEAST_PIXELS = 10_000
"""Of stained tissue, at that size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coarse:
    """A slide at the resolution at which its stains are found."""

    source: Source
    areas: SourceAreas
    step: int
    """Px of the source that are averaged, each way."""


def stain_request(normalise: NormaliseConfig) -> dict[str, Any]:
    """What is asked for, as the fingerprint has it."""
    target = normalise.target or TARGETS[normalise.method]
    return {
        "method": normalise.method,
        "over": normalise.over,
        "given": None if normalise.stain is None else normalise.stain.model_dump(mode="json"),
        "target": target.model_dump(mode="json"),
    }


def stain_transfer(
    normalise: NormaliseConfig, config: SourceConfig, source: Source, areas: SourceAreas
) -> ColourTransfer:
    """The change of colours of a slide, by numbers of its tissue, or by those that are given.

    Parameters
    ----------
    normalise
        Of method ``macenko`` or ``reinhard``.
    config, source, areas
        The slide, and what is asked for of it.

    Raises
    ------
    ConfigError
        The bands are not red, green and blue of 8 bits, or there is no area that is asked for.
    SourceError
        There is too little tissue, pixels are too large, or the colours are not those of two stains.
    """
    rgb, request = colour_bands(source), stain_request(normalise)
    if normalise.stain is not None:
        return transfer_of({**request, "stain": request["given"]}, rgb)
    coarse = _coarse(config, source, areas)
    colours = count_colours(_parts(coarse, rgb, _tissue(normalise, config, coarse)))
    tissue = stained(colours.where(~ink_colours(colours.rgb.T.astype(np.float32))))
    if tissue.pixels < LEAST_PIXELS:
        raise SourceError(_too_little(tissue.pixels, config, coarse))
    try:
        numbers = STAIN_METHODS[normalise.method].numbers(tissue)
    except ValueError as error:
        raise SourceError(
            f"{NORMALISE_KEY} finds no stains of haematoxylin and eosin in {config.place}: {error}. Look at what "
            f"source.only keeps, or give {NORMALISE_KEY}.stain, the numbers of a slide of the same stain."
        ) from error
    return transfer_of({**request, "stain": numbers, "pixels": tissue.pixels, "um_per_px": _um(coarse)}, rgb)


def colour_bands(source: Source) -> tuple[int, int, int]:
    """Which bands, from 0, are red, green and blue. Raises ConfigError where these are not all, or not of 8 bits."""
    if source.bands != 3 or source.dtype != np.uint8:
        raise ConfigError(
            f"{NORMALISE_KEY} changes colours of stains, which are red, green and blue of 8 bits, and {source.bands} "
            f"bands of {source.dtype} are read. Name the three bands in source.bands, or give another method."
        )
    red, green, blue = source.rgb if len(source.rgb) == 3 else (0, 1, 2)
    return red, green, blue


def _coarse(config: SourceConfig, source: Source, areas: SourceAreas) -> _Coarse:
    size = _size(source)
    if config.kind == "slide" and size is not None:
        return _coarse_slide(config)
    return _Coarse(source=source, areas=areas, step=_step(size, config))


def _coarse_slide(config: SourceConfig) -> _Coarse:
    """A slide at half of the size, whose pixels are then averaged by two: its JPEG keeps colours at half resolution."""
    reduced = config.model_copy(update={"mpp": None, "level": 0})
    size = _size(open_source(reduced))
    step = _step(size, config)
    if size is not None and size <= FINE_UM:
        step, reduced = 2, config.model_copy(update={"mpp": FINE_UM, "level": None, "resampling": "average"})
    source = open_source(reduced)
    return _Coarse(source=source, areas=open_areas(reduced, source), step=step)


def _step(size: float | None, config: SourceConfig) -> int:
    """Px that are averaged, each way, by µm per px. Raises SourceError where these are too large."""
    if size is None:
        return 1
    if size > COARSEST_UM * SIZE_ROUNDING:
        raise SourceError(
            f"{NORMALISE_KEY} finds stains at {COARSE_UM:g} µm per px, at most at {COARSEST_UM:g}, and a pixel of "
            f"{config.place} is {size:g} µm wide. Give {NORMALISE_KEY}.stain."
        )
    return max(int(COARSE_UM / size * SIZE_ROUNDING), 1)


def _size(source: Source) -> float | None:
    """µm per px; None where nobody knows."""
    return max(map(abs, source.grid.pixel_size)) if source.grid.unit == "um" else None


def _tissue(normalise: NormaliseConfig, config: SourceConfig, coarse: _Coarse) -> RequestedArea:
    """Tissue within what is looked at."""
    area = counted_area(normalise, coarse.areas)
    if config.only == TISSUE and coarse.areas.only is not None:
        tissue: RequestedArea = coarse.areas.only
    else:
        tissue = tissue_area(estimate_tissue(coarse.source, config.tissue or TissueConfig()), coarse.source.grid)
    both = intersected([area, tissue])
    assert both is not None, "tissue is no None"
    return both


def _parts(coarse: _Coarse, rgb: tuple[int, int, int], area: RequestedArea) -> Iterator[npt.NDArray[np.uint8]]:
    """(3, n) colours of each window that holds tissue."""

    def read(window: Window) -> npt.NDArray[np.uint8]:
        inside = area.read(window)
        if not inside.any():
            return np.empty((3, 0), np.uint8)
        pixels = coarse.source.read(window)
        means, valid = cell_means(pixels.data[list(rgb)], pixels.valid & inside, coarse.step)
        return means[:, valid].round().astype(np.uint8)

    try:
        with ThreadPoolExecutor(cores()) as threads:
            yield from threads.map(read, cell_windows(coarse.source, coarse.step))
    except ReadError as error:
        raise SourceError(
            f"{NORMALISE_KEY} cannot read the tissue: {str(error).rstrip('.')}. Mend the file, or give "
            f"{NORMALISE_KEY}.stain."
        ) from error


def _um(coarse: _Coarse) -> float | None:
    """µm per px at which stains were found; None where nobody knows."""
    size = _size(coarse.source)
    return None if size is None else round(size * coarse.step, 6)


def _too_little(pixels: int, config: SourceConfig, coarse: _Coarse) -> str:
    size = _um(coarse)
    at_size = f" at {size:g} µm per px" if size is not None else ""
    return (
        f"{NORMALISE_KEY} finds {pixels:,} px of stained tissue in {config.place}{at_size}, and needs "
        f"{LEAST_PIXELS:,} to tell its stains. Look at what source.only and source.tissue keep, or give "
        f"{NORMALISE_KEY}.stain, the numbers of a slide of the same stain."
    )
