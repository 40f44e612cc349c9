"""The size of the pixels that a network sees against that of its training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.geometry.grid import Grid
from pipeline.geometry.ground import ALLOWED_RATIO, pixel_metres, size_ratio
from pipeline.interfaces import Source
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.model_file import read_model_file


def stated_facts(path: Path | None) -> ModelFacts | None:
    """What a model file says of itself; None where it says nothing, or cannot be read, which its loading tells."""
    try:
        return None if path is None else read_model_file(path)
    except PipelineError:
        return None


def pixel_size_warnings(facts: ModelFacts | None, source: Source) -> Iterator[str]:
    """A paragraph where both sizes are known and lie more than a quarter apart.

    Parameters
    ----------
    facts
        What the model file says.
    source
        As the network sees it, on its grid.
    """
    metres = pixel_metres(source.grid)
    if facts is None or facts.pixel_size is None or metres is None:
        return
    ratio = size_ratio(facts.pixel_size, metres)
    if ratio > ALLOWED_RATIO:
        yield (
            f"The network sees pixels that are {_length(metres)} wide, but the network was trained at "
            f"{_length(facts.pixel_size)} per px ({facts.origin}), {ratio:.3g} times "
            f"{'finer' if facts.pixel_size < metres else 'coarser'}. {_remedy(source.grid, facts.pixel_size / metres)}"
        )


def _remedy(grid: Grid, factor: float) -> str:
    """What brings a raster to the size of the training."""
    if grid.unit == "um":
        return f"Read it with source.kind: slide and source.mpp: {grid.pixel_size[1] * factor:.3g}."
    if grid.wkt is None:
        return "Name a raster of that pixel size in source.path."
    return f"Set source.grid.resolution: {grid.pixel_size[1] * factor:.3g}, or name another raster in source.path."


def _length(metres: float) -> str:
    return f"{metres:.3g} m" if metres >= 0.01 else f"{metres * 1e6:.3g} µm"
