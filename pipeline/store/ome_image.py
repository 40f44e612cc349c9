"""An image of OME-Zarr that another program wrote: its levels, and where they lie."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import zarr
from zarr.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    ZarrUserWarning,
)

from pipeline.errors import ConfigError
from pipeline.locations import Place
from pipeline.store.files.objects import zarr_path
from pipeline.store.lifecycle import META_KEY
from pipeline.store.ome_levels import PLANE, LevelPlace, images_of, level_place, mappings_of, um_per_axis

VERSIONS = {2: "0.4", 3: "0.5"}
"""OME-Zarr of each format of Zarr, as far as label images are written."""
NO_NODE = (
    FileNotFoundError,
    NotADirectoryError,
    GroupNotFoundError,
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
)
CHANNEL = "channel"
"""Type of the axis that a label image has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLevel:
    """One level of an image."""

    path: str
    """Of its array, below the group of the image."""
    shape: tuple[int, ...]
    """Along all axes."""
    changes: tuple[Mapping[str, Any], ...]
    """``coordinateTransformations`` of the level."""
    place: LevelPlace

    @property
    def size(self) -> tuple[int, int]:
        """(rows, cols), px."""
        return self.shape[-2], self.shape[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class OmeImage:
    """An image, by the group that holds it."""

    place: Place
    zarr_format: Literal[2, 3]
    axes: tuple[Mapping[str, Any], ...]
    """The last two are rows and columns."""
    levels: tuple[ImageLevel, ...]
    """From the finest on."""
    changes: tuple[Mapping[str, Any], ...]
    """``coordinateTransformations`` that hold for all levels."""
    um: tuple[float, float] | None
    """µm in the units of rows and columns; None where these are no lengths."""

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """(height, width) of a pixel of level 0, µm."""
        if self.um is None:
            return None
        scales = [self._scale(place) for place in (-2, -1)]
        return scales[0] * self.um[0], scales[1] * self.um[1]

    def _scale(self, place: int) -> float:
        finest: float = next(part["scale"][place] for part in self.levels[0].changes if "scale" in part)
        return finest * next((part["scale"][place] for part in self.changes if "scale" in part), 1.0)


def group_attributes(place: Place) -> dict[str, Any] | None:
    """Attributes of a group of Zarr; None where there is no group."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZarrUserWarning)  # a bucket may hold groups of both formats
            return dict(zarr.open_group(zarr_path(place), mode="r", use_consolidated=False).attrs)
    except NO_NODE:
        return None


def find_image(places: Sequence[Place]) -> OmeImage | None:
    """The image of the first place that is a group of one; None where none is.

    Raises
    ------
    ConfigError
        It is an image in which no label image can be written.
    """
    for place in places:
        attributes = group_attributes(place)
        if attributes is not None and images_of(attributes):
            return _image(place, attributes)
    return None


def _image(place: Place, attributes: Mapping[str, Any]) -> OmeImage:
    if META_KEY in attributes:
        raise ConfigError(
            f"{place} is a store of a run and no image. Give the OME-Zarr of the image; ids of objects inside a store "
            f"are written by --to zarr-labels."
        )
    group = zarr.open_group(zarr_path(place), mode="r", use_consolidated=False)
    zarr_format = group.metadata.zarr_format
    image = images_of(attributes)[0]
    version = str(attributes.get("ome", {}).get("version") or image.get("version") or "")
    if version != VERSIONS[zarr_format]:
        raise ConfigError(
            f"{place} is OME-Zarr {version or 'of no version'} in Zarr v{zarr_format}, and label images are written "
            f"in OME-Zarr 0.4 of Zarr v2 and 0.5 of v3. Bring the image to one of these first."
        )
    axes = tuple(mappings_of(image.get("axes")))
    names = [str(axis.get("name")) for axis in axes]
    if names[-2:] != list(PLANE):
        raise ConfigError(
            f"The axes of {place} are {', '.join(names) or 'not named'}, and a label image needs y and x as the last "
            f"two. Bring the image to OME's order of axes first."
        )
    return OmeImage(
        place=place,
        zarr_format=zarr_format,
        axes=axes,
        levels=tuple(_level(place, image, level, len(axes)) for level in mappings_of(image["datasets"])),
        changes=tuple(mappings_of(image.get("coordinateTransformations"))),
        um=um_per_axis(image),
    )


def _level(place: Place, image: Mapping[str, Any], level: Mapping[str, Any], axes: int) -> ImageLevel:
    path, where = str(level.get("path", "")).strip("/"), level_place(image, level)
    try:
        shape = zarr.open_array(zarr_path(place, path), mode="r").shape
    except NO_NODE:
        shape = ()
    if where is None or len(shape) != axes:
        raise ConfigError(
            f"{place} names a level {path or 'without a path'} that has no scale, or no array with its {axes} axes, so "
            f"that a label image has no place on it. Mend the metadata of the image first."
        )
    changes = tuple(mappings_of(level.get("coordinateTransformations")))
    return ImageLevel(path=path, shape=tuple(shape), changes=changes, place=where)
