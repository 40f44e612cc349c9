"""``source.align`` and ``source.grid`` of a stack: each source on one grid, and never moved in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import SourceError
from pipeline.geometry.crs import same_grid
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Source
from pipeline.sources.regrid import place_on_grid
from pipeline.sources.regrid.placement import Placement, placement_of
from pipeline.sources.regrid.scale import common_places
from pipeline.sources.stacked.grid_difference import difference, whole_shift
from pipeline.sources.stacked.shifted import Shifted

ALIGN_CHOICES = (
    "Set source.align to exact, which takes sources of the same pixels that lie whole pixels apart and leaves their "
    "numbers as they are, or to resample, which brings every source to the grid of the first by source.resampling."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """A source of a stack, on its own grid."""

    place: str
    """As messages name it."""
    source: Source
    resampling: str


def aligned(
    opened: ListedSource, target: Grid, first: ListedSource, align: Literal["exact", "resample"] | None
) -> Source:
    """A source on the grid of the first.

    Parameters
    ----------
    opened
        The source.
    target
        The grid of the first.
    first
        The first source of the stack.
    align
        ``source.align``.

    Raises
    ------
    SourceError
        Its grid is another and ``align`` does not say what is done, or it lies elsewhere.
    """
    grid = opened.source.grid
    control, its_control = (control_placement(entry.source) for entry in (first, opened))
    if control != its_control:
        if align != "resample":
            raise _other_grid(opened, first, "its pixels are placed by other ground control points", align)
        return _resampled(opened, target, first.place)
    if same_grid(grid, target):
        return opened.source
    shift = whole_shift(grid, target)
    if align is None or (align == "exact" and shift is None):
        raise _other_grid(opened, first, difference(grid, target), align)
    return _shifted(opened, target, shift) if shift is not None else _resampled(opened, target, first.place)


def on_target(opened: ListedSource, target: Grid) -> Source:
    """A source on ``source.grid``. Raises SourceError where it lies nowhere or elsewhere."""
    grid = opened.source.grid
    if control_placement(opened.source) is None and grid.wkt is not None:
        if same_grid(grid, target):
            return opened.source
        if (shift := whole_shift(grid, target)) is not None:
            return _shifted(opened, target, shift)
    return _resampled(opened, target, "source.grid")


def control_placement(source: Source) -> Placement | None:
    """Where ground control points or polynomials place a source that has no transform; None of any other."""
    if source.grid.wkt is not None:
        return None
    try:
        return placement_of(source)
    except SourceError:  # it lies nowhere, and is compared pixel by pixel
        return None


def _other_grid(opened: ListedSource, first: ListedSource, what: str, align: str | None) -> SourceError:
    remedy = (
        ALIGN_CHOICES
        if align is None
        else "source.align is exact, which takes sources of the same pixels alone; give resample, which brings every "
        "source to the grid of the first by source.resampling, or leave this one out."
    )
    return SourceError(f"{opened.place} lies on another grid than {first.place}: {what}. {remedy}")


def _shifted(opened: ListedSource, target: Grid, shift: tuple[int, int]) -> Shifted:
    row, col = shift
    grid = opened.source.grid
    window = Window(row=row, col=col, height=target.height, width=target.width)
    if not window.clip(grid.height, grid.width).pixels:
        raise _apart(opened)
    return Shifted(source=opened.source, target=target, row=row, col=col)


def _resampled(opened: ListedSource, target: Grid, other: str) -> Source:
    source = opened.source
    if target.wkt is None or (source.grid.wkt is None and control_placement(source) is None):
        raise SourceError(
            f"{opened.place} cannot be brought to the grid of {other}: "
            f"{'the latter' if target.wkt is None else 'it'} has no CRS, so that nobody knows where it lies. Give it "
            f"one (gdal_edit.py -a_srs EPSG:CODE FILE, with -a_ullr where the place is missing too)."
        )
    placement = placement_of(source)
    if not common_places(target, (source.grid.height, source.grid.width), placement).rows.size:
        raise _apart(opened)
    return place_on_grid(source, placement, target, opened.resampling)


def _apart(opened: ListedSource) -> SourceError:
    return SourceError(
        f"{opened.place} lies elsewhere than the grid of the stack: they share no pixel. Give sources of one place, or "
        f"another source.grid."
    )
