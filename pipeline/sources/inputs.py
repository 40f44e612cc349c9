"""``model.inputs``: the sources of all inputs of a network on one grid, which is never changed in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.crs import same_grid
from pipeline.interfaces import Source
from pipeline.sources import open_kind
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.stack import band_names
from pipeline.sources.stacked.alignment import control_placement
from pipeline.sources.stacked.grid_difference import difference
from pipeline.sources.stacked.inputs_source import InputsSource, identity_of_input, with_keys_of_section
from pipeline.sources.stacked.promotion import common_dtype
from pipeline.sources.stacked.stacked_source import Part
from pipeline.sources.wrappers.read_timeout import with_timeout

REFERENCE_SECTION = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSection:
    """What one input of a network is read from."""

    name: str
    """Of the input."""
    section: str
    """Of the config: ``source``, or such as ``model.inputs.after``."""
    config: SourceConfig

    @property
    def place(self) -> str:
        """As messages name it."""
        return mask_urls(self.config.place)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A section with its source."""

    section: str
    config: SourceConfig
    source: Source


def open_inputs(
    inputs: Sequence[InputSection],
    reference: SourceConfig | None,
    timeout: float | None = None,
    stored: Mapping[str, Any] | None = None,
) -> Source:
    """Open the source of each input, and put their bands side by side.

    Parameters
    ----------
    inputs
        In the order of the bands.
    reference
        A source that gives the grid and no band; None where the first input gives it.
    timeout, stored
        As for `pipeline.sources.open_source`.

    Raises
    ------
    SourceError
        One of them is missing or unreadable, or lies on another grid; or no dtype holds the numbers of all.
    Unfinished
        They do not answer in time.
    """

    def open_() -> Source:
        return _combined(inputs, reference, timeout, stored or {})

    places = ", ".join(entry.place for entry in inputs)
    return open_() if timeout is None else with_timeout(open_, timeout, places)


def _combined(
    inputs: Sequence[InputSection], reference: SourceConfig | None, timeout: float | None, stored: Mapping[str, Any]
) -> InputsSource:
    opened = [_open(entry.section, entry.config, timeout, identity_of_input(stored, entry.name)) for entry in inputs]
    first = opened[0] if reference is None else _open(REFERENCE_SECTION, reference, timeout, stored)
    for other in opened:
        _require_same_grid(other, first)
    sources = [entry.source for entry in opened]
    return InputsSource(
        parts=tuple(
            Part(name=entry.name, source=source, band_names=band_names(source))
            for entry, source in zip(inputs, sources, strict=True)
        ),
        grid=first.source.grid,
        dtype=common_dtype([source.dtype for source in sources], [entry.section for entry in inputs], "inputs"),
        rule="any",
        sections=tuple(entry.section for entry in inputs),
        places=tuple(entry.place for entry in inputs),
        reference="" if reference is None else mask_urls(reference.place),
    )


def _open(section: str, config: SourceConfig, timeout: float | None, stored: Mapping[str, Any]) -> _Opened:
    try:
        return _Opened(section, config, open_kind(config, timeout, stored))
    except SourceError as error:
        raise SourceError(with_keys_of_section(str(error), section)) from error


def _require_same_grid(other: _Opened, first: _Opened) -> None:
    """Raise SourceError where an input does not have the pixels of the reference."""
    grid, reference = other.source.grid, first.source.grid
    moved = control_placement(other.source) != control_placement(first.source)
    if not moved and same_grid(grid, reference):
        return
    what = "its pixels are placed by other ground control points" if moved else difference(grid, reference)
    raise SourceError(
        f"{other.section} ({mask_urls(other.config.place)}) lies on another grid than {first.section} "
        f"({mask_urls(first.config.place)}): {what}. {_remedy(other, first)}"
    )


def _remedy(other: _Opened, first: _Opened) -> str:
    without_crs = [entry.section for entry in (other, first) if entry.source.grid.wkt is None]
    if len(without_crs) == 2:
        return "Neither has a CRS by which one could be brought to the other: cut or scale both to the same pixels."
    if without_crs:
        return (
            f"{without_crs[0]} has no CRS by which it could be brought to the other: give it one (gdal_edit.py -a_srs "
            f"EPSG:CODE FILE, with -a_ullr where the place is missing too)."
        )
    like = first.config.place if first.config.kind == "raster" and first.config.grid is None else "FILE"
    return (
        f"Bring it there with {other.section}.grid: {{like: {mask_urls(like)}}}, and choose how by "
        f"{other.section}.resampling; or give a source that has these pixels."
    )
