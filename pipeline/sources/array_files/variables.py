"""Which arrays of a file are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SourceError
from pipeline.redact import mask_urls
from pipeline.sources.array_files.array_file import ArrayFile, ArrayReader, groups_above, joined_path
from pipeline.store.ome_levels import images_of

BOUNDS_ENDINGS = ("_bnds", "_bounds")
"""Ends of the names of arrays that hold the sides of pixels."""
MAX_NAMED = 20
"""Arrays that a message lists."""


def chosen_arrays(file: ArrayFile, path: str, variable: str | list[str] | None) -> list[ArrayReader]:
    """The arrays that a config names, or the one that needs no name.

    Parameters
    ----------
    file
        That is open.
    path
        ``source.path``, for messages.
    variable
        ``source.variable``.

    Raises
    ------
    SourceError
        There is no such array, or several may be meant.
    """
    if variable is None:
        return [_only_array(file, path)]
    names = [variable] if isinstance(variable, str) else variable
    return [_array(file, path, name) for name in names]


def ancestors(file: ArrayFile, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Path and attributes of the groups above an array, the nearest first."""
    return [(group, file.group_attributes(group)) for group in groups_above(name)]


def _array(file: ArrayFile, path: str, name: str) -> ArrayReader:
    try:
        return file.array(joined_path(file.inner, name))
    except KeyError:
        names = [_relative(entry, file.inner) for entry in file.names()]
        listed = f"It has {_listed(names)}." if names else "Its arrays cannot be listed."
        raise SourceError(
            f"source.variable is {name}, but {mask_urls(path)} has no such array. {listed} Name one of its arrays."
        ) from None


def _only_array(file: ArrayFile, path: str) -> ArrayReader:
    """The file's own array, the finest level of an OME-Zarr, or the one array that can be an image."""
    try:
        return file.array(file.inner)
    except KeyError:  # a group, of which one array may be meant
        pass
    for image in images_of(file.group_attributes(file.inner)):
        for level in image.get("datasets", [])[:1]:
            return _array(file, path, str(level["path"]))
    names = [name for name in file.names() if _is_image(file.array(name))]
    if len(names) == 1:
        return file.array(names[0])
    if not names:
        raise SourceError(
            f"source.path is {mask_urls(path)}, in which no array of two dimensions or more is listed. Name one in "
            f"source.variable, or check the path."
        )
    raise SourceError(
        f"source.path is {mask_urls(path)}, which has several arrays: "
        f"{_listed([_relative(name, file.inner) for name in names])}. Name one in source.variable, or a list of those "
        f"that are bands."
    )


def _is_image(array: ArrayReader) -> bool:
    """Whether an array may hold pixels; bounds and coordinates of two dimensions hold none."""
    info = array.info
    place = info.attributes.get("standard_name") in ("latitude", "longitude")
    return len(info.shape) > 1 and info.dtype.kind in "biuf" and not place and not info.name.endswith(BOUNDS_ENDINGS)


def _relative(name: str, inner: str) -> str:
    return name.removeprefix(f"{inner}/") if inner else name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
