"""What a store is made of, before it exists."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.geometry.grid import Grid, id_dtype
from pipeline.store.layers import DERIVED_LAYERS, LayerSpec, layer_spec, leading_layer
from pipeline.store.picture_spec import PictureSpec
from pipeline.store.values import ValuesSpec

Role = Literal["background", "ignore"]

OVERVIEW_BLOCK = 1024
"""Side of a block of an overview, px, or one storage unit where that is larger.

Commit records count in it: it stays as it is.
"""


UNUSED_NODATA, UNUSED_DTYPE = 255, "uint8"
"""What a spec says of a mask that its store does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class of the mask."""

    code: int
    name: str
    color: str
    """#rrggbb."""
    role: Role | None = None

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three bytes."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """Everything that decides the store's arrays and what they say of themselves."""

    grid: Grid
    layers: tuple[str, ...]
    chunk: int
    """px."""
    shard: int | None
    """px, a whole number of chunks; None for no shards."""
    nodata: int
    """Of the mask."""
    dtype: str
    """Of the mask: uint8 or uint16."""
    zarr_format: Literal[2, 3]
    classes: tuple[ClassRow, ...]
    """Empty in a store without a mask."""
    levels: int
    """Full resolution and overviews."""
    probabilities: str = "uint8"
    """Dtype of the layer of that name: uint8 or float16."""
    class_codes: tuple[int, ...] = ()
    """Codes along its class axis; empty for those of all classes."""
    has_min_confidence: bool = False
    """Whether the mask is nodata where the network was not sure enough, so that other layers know of more pixels than
    the mask."""
    values: ValuesSpec = field(default_factory=ValuesSpec)
    """Channels and dtype of the layer of that name; without channels where there is none."""
    picture: PictureSpec | None = None
    """The reduced picture of the source that it keeps; None where it keeps none."""

    def layer(self, name: str) -> LayerSpec:
        """What a layer is in this store."""
        return layer_spec(
            name,
            dtype=self.dtype,
            nodata=self.nodata,
            probabilities=self.probabilities,
            planes=len(self.axis),
            values=self.values,
            ids=id_dtype(self.grid.height, self.grid.width),
        )

    @property
    def main_layer(self) -> str:
        """The layer that all others follow: the mask where there is one, else the values."""
        return leading_layer(self.layers)

    @property
    def inferred(self) -> StoreSpec:
        """The same without derived layers: what a network gives."""
        return replace(self, layers=tuple(name for name in self.layers if name not in DERIVED_LAYERS))

    @property
    def cleaned(self) -> StoreSpec:
        """The layer ``cleaned`` alone."""
        return replace(self, layers=("cleaned",))

    @property
    def instances(self) -> StoreSpec:
        """The ids of objects alone."""
        return replace(self, layers=("instances",))

    @property
    def with_cleaned(self) -> StoreSpec:
        """The same with the layer ``cleaned``."""
        return replace(self, layers=(*self.inferred.layers, "cleaned"))

    @property
    def axis(self) -> tuple[ClassRow, ...]:
        """Classes along the class axis."""
        by_code = {row.code: row for row in self.classes}
        return tuple(by_code[code] for code in self.class_codes) or self.classes

    @property
    def storage_unit_px(self) -> int:
        """Side of what is stored as one file, px: two writers must never share one."""
        return self.shard or self.chunk

    @property
    def overview_block(self) -> int:
        """Side of a block of an overview, px: whole storage units."""
        return overview_block(self.storage_unit_px)


def overview_block(unit: int) -> int:
    """Side of a block of an overview, px, where storage units have a side of ``unit`` px."""
    return max(OVERVIEW_BLOCK // unit, 1) * unit


def levels_for(grid: Grid, chunk: int) -> int:
    """Levels until one fits a single chunk."""
    levels, side = 1, max(grid.height, grid.width)
    while side > chunk:
        levels, side = levels + 1, -(-side // 2)
    return levels
