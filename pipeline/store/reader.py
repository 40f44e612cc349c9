"""A store that is there, by one of its levels: grid, classes, what is committed, and pixels by windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from pipeline.errors import StoreError
from pipeline.geometry.blocks import overview_blocks_above
from pipeline.geometry.grid import IDENTITY, Grid, Transform, slide_px
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.locations import Place, parse_place
from pipeline.store.files import files_at
from pipeline.store.files.objects import zarr_path
from pipeline.store.layers import DERIVED_LAYERS, leading_layer
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.spec import ClassRow, overview_block
from pipeline.store.values import ValuesSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLevel:
    """One level of a store."""

    path: Place
    level: int
    grid: Grid
    classes: tuple[ClassRow, ...]
    """Empty where there is no mask."""
    nodata: float
    """Of the mask; of the values where there is no mask."""
    chunk: int
    """px."""
    block: int
    """Side of what has a commit record, px."""
    table: npt.NDArray[np.uint16] | None = field(default=None, repr=False, compare=False)
    """(65536,) code → code that it is read as; None where it stays."""
    requested_blocks: int | None = None
    """Blocks that touch the area of interest, or lie over those that are committed of them; None where all do."""
    layers: tuple[str, ...] = ("mask",)
    values: ValuesSpec | None = None
    """What the layer of values holds; None where there is none."""
    layer: str = "mask"
    """Layer that is asked for; `read` reads it where it is one of classes."""

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.grid.height

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.grid.width

    @property
    def blocks(self) -> int:
        """Blocks of this level that there will be."""
        if self.requested_blocks is not None:
            return self.requested_blocks
        return -(-self.grid.height // self.block) * -(-self.grid.width // self.block)

    def committed_blocks(self) -> int:
        """Blocks of this level that are committed."""
        return Ledger(self.path, self.level).count()

    def read(self, window: Window) -> npt.NDArray[np.unsignedinteger]:
        """(rows, cols) codes of the layer; nodata where nothing is written, and beyond the raster.

        Raises StoreError where there are no classes.
        """
        if "mask" not in self.layers:
            raise StoreError(
                f"{self.path} has no mask, whose classes are asked for; it holds {', '.join(self.layers)}."
            )
        array = open_layer(self.path, self.level, self.layer)
        codes = np.full((window.height, window.width), self.nodata, dtype=array.dtype)
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            codes[inside.index_in(window)] = np.asarray(array[inside.slices])
        return codes if self.table is None else np.asarray(self.table[codes])

    def read_channel(self, channel: int, window: Window) -> npt.NDArray[np.float64]:
        """(rows, cols) numbers of a channel of a store with values; NaN where there is none, and beyond the raster."""
        assert self.values is not None, "asked only of a store with values"
        numbers = np.full((window.height, window.width), np.nan)
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            stored = np.asarray(open_layer(self.path, self.level, "values")[(channel, *inside.slices)])
            numbers[inside.index_in(window)] = self.values.numbers(stored, channel)
        return numbers

    def committed(self, window: Window) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel lies in a committed block."""
        inside, ledger = np.zeros((window.height, window.width), dtype=bool), Ledger(self.path, self.level)
        for row in range(max(window.row, 0) // self.block, -(-window.rows.stop // self.block)):
            for _, col in ledger.committed_in(row):
                block_window = Window.of(*(Span(i * self.block, (i + 1) * self.block) for i in (row, col)))
                rows, cols = block_window.index_in(window)
                inside[max(rows.start, 0) : max(rows.stop, 0), max(cols.start, 0) : max(cols.stop, 0)] = True
        return inside


def open_store(path: Place, level: int = 0, layer: str = "mask") -> StoreLevel:
    """Open one level of a store, to read the mask, or ``cleaned`` or the values where there are some.

    Raises
    ------
    StoreError
        There is no store of ours, or it has no such level.
    """
    meta = read_store_meta(path)
    if not _has_level(path, level):
        levels = [k for k in range(64) if _has_level(path, k)]
        raise StoreError(
            f"{path} has no level {level}; it has {levels[0]} to {levels[-1]}, of which 0 is the full "
            f"resolution. Give one of these."
        )
    layers = stored_layers(meta)
    array = open_layer(path, level, leading_layer(layers))
    side = (array.shards or array.chunks)[-1]
    return StoreLevel(
        path=path,
        level=level,
        grid=_grid(path, level, array.shape[-2:], meta),
        classes=tuple(ClassRow(**row) for row in meta["classes"]),
        nodata=np.asarray(array.fill_value).item(),
        chunk=array.chunks[-1],
        block=overview_block(side) if level else int(meta["tiles"]["block"]),
        requested_blocks=_requested_blocks(path, meta, level, overview_block(side)),
        layers=layers,
        layer=layer,
        values=stored_values(path, level) if "values" in layers else None,
    )


def stored_layers(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Layers of a store by its root; the mask where that does not say."""
    layers = meta.get("config", {}).get("output", {}).get("layers")
    return tuple(layers) if isinstance(layers, list) else ("mask",)


def readable_layers(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """The same, with derived layers once the store is complete: until then they may be those of other steps."""
    layers = stored_layers(meta)
    return (*layers, *(name for name in DERIVED_LAYERS if name in meta)) if meta.get("complete") else layers


def stored_values(path: Place, level: int = 0) -> ValuesSpec:
    """What the layer of values of a store holds, by what its array says of itself."""
    array = zarr.open_array(zarr_path(path, f"{level}/values"), mode="r")  # its names may have changed since
    attributes: dict[str, Any] = dict(array.attrs)
    integers = array.dtype.kind == "i"
    return ValuesSpec(
        channels=tuple(map(str, attributes["channels"])),
        dtype=array.dtype.name,
        scale=tuple(map(float, attributes["scale"])) if integers else (),
        offset=tuple(map(float, attributes["offset"])) if integers else (),
        nodata=int(array.fill_value) if integers else None,
    )


def store_location(store: str | Place) -> Place:
    """Where a store lies, by its path or URL; raises StoreError where no store can be."""
    try:
        return parse_place(store)
    except ValueError as error:
        raise StoreError(f"{store} names no store: {error}.") from error


def _has_level(path: Place, level: int) -> bool:
    return any(files_at(path).exists(f"{level}/{name}") for name in ("zarr.json", ".zgroup"))


def _requested_blocks(path: Place, meta: dict[str, Any], level: int, side: int) -> int | None:
    if level and "asked" in meta:
        return len(overview_blocks_above(Ledger(path).listed(), meta["tiles"]["block"], side, level + 1)[-1])
    return meta.get("asked")


def _grid(path: Place, level: int, shape: tuple[int, ...], meta: dict[str, Any]) -> Grid:
    attributes: dict[str, Any] = dict(
        zarr.open_group(zarr_path(path, str(level)), mode="r", use_consolidated=False).attrs
    )
    a, b, c, d, e, f = attributes["spatial:transform"]
    wkt = attributes.get("proj:wkt2")
    return Grid(
        height=shape[0],
        width=shape[1],
        transform=(a, b, c, d, e, f),
        wkt=wkt,
        code=attributes.get("proj:code"),
        unit="crs" if wkt else _unit(path, level),
        image_px=Grid(height=1, width=1, image_px=_image_px(meta)).level(level).image_px,
    )


def _image_px(meta: dict[str, Any]) -> Transform:
    """Of the full resolution of a store: of a slide that was read below its own, px of level 0."""
    place = meta.get("fingerprint", {}).get("source.level_0_px")
    return IDENTITY if place is None else slide_px((place[0], place[1]), (place[2], place[3]))


def _unit(path: Place, level: int) -> Any:
    try:
        axis = zarr.open_array(zarr_path(path, f"{level}/x"), mode="r")
    except FileNotFoundError:  # a grid that is rotated has no axes of its own
        return "px"
    return "um" if axis.attrs.get("units") == "micrometer" else "px"
