"""The empty groups and arrays of a store, with all they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store import metadata
from pipeline.store.files.built_nodes import delete_node, put_nodes
from pipeline.store.label_groups import GROUP_FILES
from pipeline.store.layers import CLASS_LAYERS, LABEL_LAYERS, Attributes, array_key, layer_kind
from pipeline.store.picture_spec import PictureSpec, picture_layer
from pipeline.store.spec import StoreSpec

COORDINATES = 2**16
"""Coordinates in a chunk of x or y: a raster of 10⁶ px has 16 of them, compressed to next to nothing."""


def write_hierarchy(path: Path, spec: StoreSpec, attributes: Attributes) -> None:
    """Write the whole hierarchy, all levels included.

    Parameters
    ----------
    path
        An empty place.
    spec
        The store's spec.
    attributes
        What the root says beside the conventions.
    """
    root = zarr.create_group(
        path, zarr_format=spec.zarr_format, attributes={**metadata.root_attributes(spec), **attributes}
    )
    for k in range(spec.levels):
        grid = spec.grid.level(k)
        group = root.create_group(str(k), attributes=metadata.level_attributes(grid))
        for layer in spec.layers:
            _create_layer(group, spec, grid, layer)
        _create_coordinates(group, spec, grid)
        _create_classes(group, spec)
        _create_channels(group, spec)
    if spec.picture is not None:
        _create_picture(path, spec, spec.picture)


def create_layer(path: Place, spec: StoreSpec, level: int, layer: str) -> None:
    """Make the empty array of a layer in a level of a store that is there; what stands in its place is deleted."""
    folder, _, name = array_key(level, layer).rpartition("/")

    def build(empty: Path) -> None:
        group = zarr.create_group(empty / folder, zarr_format=spec.zarr_format)
        _create_layer(group, spec, spec.grid.level(level), layer, name=name)
        for file in GROUP_FILES:  # that of the store stays
            (empty / folder / file).unlink(missing_ok=True)

    delete_node(path, f"{folder}/{name}")
    put_nodes(path, build)


def class_attributes(spec: StoreSpec) -> dict[str, Attributes]:
    """Arrays of each level that name classes, with their colours, or channels, and all that they say of themselves."""
    arrays: dict[str, Attributes] = {
        name: layer_attributes(spec, name) for name in spec.layers if name in (*CLASS_LAYERS, "values")
    }
    if _has_axis(spec, "class"):
        arrays["class"] = {**_dimensions(spec, ("class",)), **metadata.class_axis_attributes(spec)}
    if _has_axis(spec, "channel"):
        arrays["channel"] = {**_dimensions(spec, ("channel",)), **metadata.channel_axis_attributes(spec)}
    return arrays


def layer_attributes(spec: StoreSpec, layer: str) -> Attributes:
    """Everything that a layer's array says of itself."""
    return {**_dimensions(spec, spec.layer(layer).dimensions), **_crs(spec), **metadata.layer(spec, layer)}


def _create_layer(group: zarr.Group, spec: StoreSpec, grid: Grid, layer: str, name: str | None = None) -> None:
    layer_spec = spec.layer(layer)
    # whoever looks at one class or channel reads no other, and no writer holds more than one plane of a file
    class_chunk = () if layer_spec.planes is None else (1,)
    # an array of a label image has no level's group that says where it lies
    place = metadata.level_attributes(grid) if layer in LABEL_LAYERS else {}
    group.create_array(
        name or layer,
        shape=layer_spec.shape(grid.height, grid.width),
        chunks=(*class_chunk, spec.chunk, spec.chunk),
        shards=(*class_chunk, spec.shard, spec.shard) if spec.shard and spec.shard != spec.chunk else None,
        dtype=layer_spec.dtype,
        fill_value=layer_spec.fill,
        compressors=_codec(spec),
        attributes={**layer_attributes(spec, layer), **place},
        **_names(spec, layer_spec.dimensions),
    )


def _create_picture(path: Path, spec: StoreSpec, picture: PictureSpec) -> None:
    """Below an array, as the ledger: readers warn of what they do not know beside arrays, and Zarr sees no child."""
    zarr.create_array(
        path / "0" / picture_layer(spec.main_layer),
        shape=picture.shape(spec.grid.height, spec.grid.width),
        chunks=(picture.planes, picture.chunk, picture.chunk),
        dtype=picture.dtype,
        fill_value=0,
        compressors=_codec(spec, level=1),
        attributes=_dimensions(spec, ("band", "y", "x")) | picture.attributes(),
        zarr_format=spec.zarr_format,
        **_names(spec, ("band", "y", "x")),
    )


def _has_axis(spec: StoreSpec, axis: str) -> bool:
    return any(layer_kind(layer).axis == axis for layer in spec.layers)


def _create_classes(group: zarr.Group, spec: StoreSpec) -> None:
    """The class axis: codes as in the mask.

    Zarr v3 has no settled type for text, so the names are among its attributes.
    """
    if _has_axis(spec, "class"):
        _create_axis(group, spec, "class", np.array([row.code for row in spec.axis], dtype=spec.dtype))


def _create_channels(group: zarr.Group, spec: StoreSpec) -> None:
    """The axis of channels: their places from 0, with the names among its attributes."""
    if _has_axis(spec, "channel"):
        _create_axis(group, spec, "channel", np.arange(len(spec.values.channels), dtype=np.int32))


def _create_axis(group: zarr.Group, spec: StoreSpec, name: str, values: npt.NDArray[np.generic]) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=values.shape,
        dtype=values.dtype,
        fill_value=None,
        compressors=None,
        attributes=class_attributes(spec)[name],
        **_names(spec, (name,)),
    )
    array[:] = values


def _create_coordinates(group: zarr.Group, spec: StoreSpec, grid: Grid) -> None:
    reference = metadata.spatial_ref(grid)
    group.create_array(
        "spatial_ref",
        shape=(),
        dtype="int64",
        compressors=None,
        attributes={**_dimensions(spec, ()), **reference},
        **_names(spec, ()),
    )
    if not grid.axis_aligned:
        return
    a, _, c, _, e, f = grid.transform
    for name, start, step, count in (("y", f, e, grid.height), ("x", c, a, grid.width)):
        array = group.create_array(
            name,
            shape=(count,),
            chunks=(min(count, COORDINATES),),
            dtype="float64",
            fill_value=float("nan"),
            compressors=_codec(spec),
            attributes={**_dimensions(spec, (name,)), **metadata.coordinate_attributes(name, grid)},
            **_names(spec, (name,)),
        )
        array[:] = start + step * (np.arange(count) + 0.5)


def _codec(spec: StoreSpec, level: int = 3) -> Any:
    if spec.zarr_format == 2:
        from numcodecs.zstd import Zstd

        return Zstd(level=level)
    return ZstdCodec(level=level)


def _names(spec: StoreSpec, dimensions: tuple[str, ...]) -> Attributes:
    return {"dimension_names": dimensions} if spec.zarr_format == 3 else {}


def _dimensions(spec: StoreSpec, dimensions: tuple[str, ...]) -> Attributes:
    return {} if spec.zarr_format == 3 else {"_ARRAY_DIMENSIONS": list(dimensions)}


def _crs(spec: StoreSpec) -> Attributes:
    """GDAL's own attribute, which every version of its driver reads."""
    return {"_CRS": {"wkt": spec.grid.wkt}} if spec.grid.wkt else {}
