"""Which image a mask is written into, and where the mask lies on its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.exports.task import ExportTask
from pipeline.locations import Place, parse_place
from pipeline.privacy.stand_in import STAND_IN_PREFIX
from pipeline.store.image_labels import label_axes, label_folder
from pipeline.store.metadata import first_centre
from pipeline.store.ome_image import OmeImage, find_image

GROUPS_ABOVE = 3
"""Groups above a place that may be the image, where a level of it is named."""
ROUNDING = 1e-6
"""Share of an image's side by which rounding may move an edge of the mask."""

Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class LabelTarget:
    """A mask on the pixels of an image."""

    image: OmeImage
    step: Pair
    """(height, width) of a pixel of the mask, px of the image's level 0."""
    corner: Pair
    """(row, col) of the mask, px of the image's level 0."""
    flipped: tuple[bool, bool] = (False, False)
    """Whether the mask's first row, or column, is the last one of the image."""
    places: tuple[int, ...]
    """Along the axes of the label image before y and x, the plane of the image that was read."""


def label_name(task: ExportTask) -> str:
    """The name of the label image: the one that was given, or that of the store."""
    return str(task.request.options.get("name") or task.store.stem)


def target_place(task: ExportTask) -> Place:
    """Where the label image lies."""
    return label_target(task).image.place / label_folder(label_name(task))


def label_target(task: ExportTask) -> LabelTarget:
    """The image, and where the mask lies on it.

    Raises
    ------
    ConfigError
        There is no image in OME-Zarr, or the mask is not one of it.
    """
    image = _image(task)
    is_source = image.place in _resolved(_source_places(task))
    if task.meta.get("fingerprint", {}).get("source.warp") is not None:
        raise ConfigError(
            f"{task.store} lies on another grid than its image, by source.grid, so that its pixels are none of "
            f"{image.place}. Export it --to cog or ome-tiff."
        )
    step, corner = _mask_on_image(task, image, is_source)
    target = LabelTarget(
        image=image,
        step=step,
        corner=corner,
        flipped=_flipped(task) if is_source else (False, False),
        places=_places(task, image, is_source),
    )
    _check_extent(task, target)
    return target


def _image(task: ExportTask) -> OmeImage:
    into = task.request.out
    places = list(_around(into)) if into is not None else list(_source_places(task))
    if not places:
        raise ConfigError(
            f"The image of {task.store} is not named as an OME-Zarr by its config, into which its mask could be "
            f"written. Give --into IMAGE.zarr, or export the mask --to ome-tiff."
        )
    image = find_image(_resolved(places))
    if image is None:
        raise ConfigError(
            f"{into or places[0]} is no image in OME-Zarr: it has no multiscales. Give the group of the image, such as "
            f"FILE.zarr, or FILE.zarr/0 where a file holds several."
        )
    return image


def _source_places(task: ExportTask) -> Iterator[Place]:
    """Groups that may hold the image that was read, the nearest to its array first."""
    source: Mapping[str, Any] = task.meta["config"].get("source", {})
    path = source.get("path")
    if source.get("kind") != "zarr" or not isinstance(path, str) or path.startswith(STAND_IN_PREFIX):
        return
    try:
        place = parse_place(path)
    except ValueError:  # a server of HTTP, to which nothing is written
        return
    variable = source.get("variable")
    name = (variable[0] if isinstance(variable, list) else variable) or ""
    parts = str(name).split("/")[:-1]
    for count in range(len(parts), 0, -1):
        yield place / "/".join(parts[:count])
    yield from _around(place)


def _around(place: Place) -> Iterator[Place]:
    for _ in range(1 + GROUPS_ABOVE):
        yield place
        place = place.parent


def _resolved(places: Any) -> list[Place]:
    return [place.resolve() if isinstance(place, Path) else place for place in places]


def _mask_on_image(task: ExportTask, image: OmeImage, is_source: bool) -> tuple[Pair, Pair]:
    """Step and corner of the mask, px of the image's level 0.

    Of the image that was read the store knows them. Of another one of the same slide both say so in µm, from the centre
    of the first pixel of level 0.
    """
    grid, size = task.spec.grid, image.pixel_um
    across, _, left, _, down, top = grid.image_px
    if is_source or size is None or grid.unit != "um":
        return (down, across), (top, left)
    assert image.um is not None
    step = (grid.pixel_size[0] / size[0], grid.pixel_size[1] / size[1])
    origin = image.levels[0].place.origin
    centres = (
        (centre - first * unit) / side
        for centre, first, unit, side in zip(first_centre(grid), origin, image.um, size, strict=True)
    )
    rows, cols = (centre + 0.5 - width / 2 for centre, width in zip(centres, step, strict=True))
    return step, (rows, cols)


def _flipped(task: ExportTask) -> tuple[bool, bool]:
    """Whether the array that was read has its first row, or column, last."""
    axes = task.meta.get("fingerprint", {}).get("source.axes") or [0, 1, False, False]
    return bool(axes[2]), bool(axes[3])


def _places(task: ExportTask, image: OmeImage, is_source: bool) -> tuple[int, ...]:
    """The plane along each axis of the label image before y and x."""
    axes = label_axes(image)[:-2]
    numbers = [image.axes.index(axis) for axis in axes]
    index = _read_index(task) if is_source else []
    if len(index) == len(image.axes):
        return tuple(int(index[number]) for number in numbers)
    for axis, number in zip(axes, numbers, strict=True):
        if image.levels[0].shape[number] > 1:
            raise ConfigError(
                f"{image.place} has {image.levels[0].shape[number]} planes along {axis['name']}, and {task.store} does "
                f"not tell of which its mask is. Run the job on that OME-Zarr (source.kind: zarr)."
            )
    return (0,) * len(numbers)


def _read_index(task: ExportTask) -> list[str]:
    """Along each dimension of the array the place that was read, of the first band; ``y`` and ``x`` among them."""
    bands = task.meta.get("fingerprint", {}).get("source.bands") or [""]
    return [part.strip() for part in str(bands[0]).partition("[")[2].rstrip("]").split(",")]


def _check_extent(task: ExportTask, target: LabelTarget) -> None:
    """Refuse an image that is not the one of the mask: their edges meet within a pixel."""
    grid, size = task.spec.grid, target.image.levels[0].size
    for side, count, step, corner in zip(size, (grid.height, grid.width), target.step, target.corner, strict=True):
        tolerance = max(step, 1.0) + ROUNDING * side
        if abs(corner) > tolerance or abs(corner + count * step - side) > tolerance:
            spans = [number * width for number, width in zip((grid.height, grid.width), target.step, strict=True)]
            raise ConfigError(
                f"The mask of {task.store} spans {spans[0]:.6g} × {spans[1]:.6g} px from row {target.corner[0]:.6g} "
                f"and column {target.corner[1]:.6g} on, and {target.image.place} has {size[0]} × {size[1]}, so that it "
                f"is not the image of this mask. Give the OME-Zarr that was read, or one of the same slide."
            )
