"""Which part of an array is read: one place along most dimensions, all of one that is folded, and bands along one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.selection import SelectValue
from pipeline.errors import SourceError
from pipeline.sources.array_files.dimensions import same_dimension
from pipeline.sources.array_files.labels import Label, listed_labels, position_of
from pipeline.sources.array_files.plane_fold import PROJECTIONS, Projection

IMAGE_KEY = "image"
"""Key of `source.select` that names no dimension, but one of several images of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension of an array."""

    name: str
    length: int
    role: str
    """rows, columns, time, height, bands, or nothing of these."""
    labels: list[Label] | None = None
    """What its places are called; None where nothing says so."""

    @property
    def description(self) -> str:
        """Its name, and what is along it."""
        return f"{self.name} ({self.length}{': ' + listed_labels(self.labels) if self.labels else ''})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A part of an array with rows and columns."""

    rows: int
    """Which dimension the rows are along, from 0."""
    columns: int
    places: tuple[int, ...]
    """Along each dimension the one place that is read; 0 along rows, columns and bands."""
    band_axis: int | None = None
    """Which dimension the bands are along."""
    bands: tuple[int, ...] = (0,)
    """Their places along it."""
    names: tuple[str, ...] = ("",)
    """What the bands are called."""
    folded: int | None = None
    """Which dimension all places of are folded into one."""
    projection: Projection = "max"
    """How they are folded."""
    planes: int = 1
    """How many places are folded."""
    notes: tuple[str, ...] = ()
    """What is read, in words."""

    def index(self, band: int) -> tuple[int | str, ...]:
        """What is read of each dimension for a band, by its place along theirs: a place, y, x, max or mean."""
        index: list[int | str] = list(self.places)
        index[self.rows], index[self.columns] = "y", "x"
        if self.folded is not None:
            index[self.folded] = self.projection
        if self.band_axis is not None:
            index[self.band_axis] = band
        return tuple(index)


def selection_of(
    dimensions: Sequence[Dimension],
    select: Mapping[str, SelectValue] | None,
    bands: Sequence[int | str] | None,
) -> Selection:
    """The part that a config asks for.

    Parameters
    ----------
    dimensions
        Of the array, in its order.
    select
        ``source.select``: by dimension one label, a list of those that are bands, or max or mean.
    bands
        ``source.bands``: numbers from 1, or labels, along the dimension of bands.

    Raises
    ------
    SourceError
        A dimension is left open, or something is asked for that is not there.
    """
    chosen = _by_dimension(dimensions, select or {})
    rows, columns = (next(k for k, d in enumerate(dimensions) if d.role == role) for role in ("rows", "columns"))
    band_axis = _band_axis(dimensions, chosen, bands, {rows, columns})
    folded = _folded_axis(dimensions, chosen)
    places, notes = [0] * len(dimensions), list[str]()
    for axis, dimension in enumerate(dimensions):
        if axis in (rows, columns, band_axis):
            continue
        if axis == folded:
            notes.append(f"its {dimension.name} is the {chosen[axis]} of all {dimension.length}")
            continue
        places[axis] = _place(dimension, chosen.get(axis))
        if dimension.labels:
            label = listed_labels([dimension.labels[places[axis]]])
            notes.append(f"its {dimension.name} is {label}{'' if axis in chosen else ', the only one'}")
        elif dimension.length > 1:
            notes.append(f"its {dimension.name} is {places[axis]} of 0 to {dimension.length - 1}")
    positions = (0,) if band_axis is None else _bands(dimensions[band_axis], chosen.get(band_axis), bands)
    labels = None if band_axis is None else dimensions[band_axis].labels
    if band_axis is not None and labels is not None:
        notes.append(f"its bands are {dimensions[band_axis].name} {listed_labels([labels[k] for k in positions])}")
    return Selection(
        rows=rows,
        columns=columns,
        places=tuple(places),
        band_axis=band_axis,
        bands=positions,
        names=tuple("" if labels is None else str(labels[place]) for place in positions),
        folded=folded,
        projection="mean" if folded is not None and chosen[folded] == "mean" else "max",
        planes=1 if folded is None else dimensions[folded].length,
        notes=tuple(notes),
    )


def _by_dimension(dimensions: Sequence[Dimension], select: Mapping[str, SelectValue]) -> dict[int, SelectValue]:
    """What is selected, by the place of the dimension."""
    chosen = {}
    for key, value in select.items():
        exact = [axis for axis, dimension in enumerate(dimensions) if dimension.name == key]
        axes = exact or [axis for axis, dimension in enumerate(dimensions) if same_dimension(key, dimension.name)]
        if len(axes) != 1 or dimensions[axes[0]].role in ("rows", "columns"):
            names = [d.description for d in dimensions if d.role not in ("rows", "columns")]
            listed = f"It has {'; '.join(names)}" if names else "It has rows and columns alone"
            raise SourceError(
                f"source.select names {key}, but the array has no such dimension to select from. {listed}. Leave {key} "
                f"out, or name one of its dimensions."
            )
        chosen[axes[0]] = value
    return chosen


def _folded_axis(dimensions: Sequence[Dimension], chosen: Mapping[int, SelectValue]) -> int | None:
    """The dimension whose places are folded into one; a place that is called max or mean is a place."""
    folded = [
        axis
        for axis, value in sorted(chosen.items())
        if value in PROJECTIONS and value not in (dimensions[axis].labels or [])
    ]
    if len(folded) > 1:
        names = " and ".join(dimensions[axis].name for axis in folded)
        raise SourceError(
            f"source.select folds {names}, but one dimension alone can be. Give one place for each of the others."
        )
    return folded[0] if folded else None


def _band_axis(
    dimensions: Sequence[Dimension],
    chosen: Mapping[int, SelectValue],
    bands: Sequence[int | str] | None,
    spatial: set[int],
) -> int | None:
    """The dimension of bands: that of a list, or the one that is left open."""
    lists = [axis for axis, value in chosen.items() if isinstance(value, list)]
    left_open = [axis for axis in range(len(dimensions)) if axis not in chosen and axis not in spatial]
    several = [axis for axis in left_open if dimensions[axis].length > 1]
    if not lists and len(several) == 1 and (dimensions[several[0]].role not in ("time", "height") or bands):
        return several[0]
    if lists and bands is not None:
        raise SourceError(
            f"source.bands and the list of source.select.{dimensions[lists[0]].name} both name the bands. Give one of "
            f"them."
        )
    open_names = "; ".join(dimensions[axis].description for axis in several)
    if len(lists) > 1 or several:
        problem = f"leaves open {open_names}" if several else "gives several lists"
        raise SourceError(
            f"source.select {problem}, but one dimension alone can be that of the bands, and each other takes one "
            f"value. Give one value for each, such as {{{_example(dimensions, several or lists)}}}, and a list for "
            f"those that are bands."
        )
    if lists:
        return lists[0]
    of_bands = [axis for axis in left_open if dimensions[axis].role == "bands"]
    return of_bands[0] if of_bands else None


def _example(dimensions: Sequence[Dimension], axes: Sequence[int]) -> str:
    dimension = dimensions[axes[0]]
    return f"{dimension.name}: {dimension.labels[0] if dimension.labels else 0}"


def _place(dimension: Dimension, value: SelectValue | None) -> int:
    if value is None:
        return 0
    assert not isinstance(value, list)
    return position_of(value, dimension.labels, dimension.name, dimension.length)


def _bands(dimension: Dimension, value: SelectValue | None, bands: Sequence[int | str] | None) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(position_of(label, dimension.labels, dimension.name, dimension.length) for label in value)
    if bands is None:
        return tuple(range(dimension.length))
    return tuple(_band(dimension, band) for band in bands)


def _band(dimension: Dimension, band: int | str) -> int:
    if isinstance(band, str):
        return position_of(band, dimension.labels, dimension.name, dimension.length)
    if band > dimension.length:
        raise SourceError(
            f"source.bands asks for band {band}, but {dimension.description} has {dimension.length}. Bands count from "
            f"1, or go by their labels."
        )
    return band - 1
