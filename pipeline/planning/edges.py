"""The raster's edge where a network is unpadded.

Pixels without a class, or padding that gives them one (``tile.pad``).
"""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.config import TileConfig
from pipeline.errors import ConfigError
from pipeline.geometry.margin import Margin
from pipeline.interfaces import Locality, Radius, Source
from pipeline.sources.wrappers.reflected import Reflected

PADDING = {"reflect": "its mirror image", "constant": "0 after normalisation"}
"""What lies beyond the raster, by ``tile.pad``."""


def with_padding(locality: Locality, tile: TileConfig, multiple: int) -> Locality:
    """What was measured of a network, for tiles that begin where the padded raster does.

    The network's grid then begins ``margin`` px before the raster, and tiles begin on multiples of the stride: the rest
    is skipped, and reaches grow by it.

    Parameters
    ----------
    locality
        As it was measured, or as this gave it before.
    tile
        Section ``tile`` of the config.
    multiple
        Sizes that the network's file asks for are multiples of this, px.

    """
    margin, unit = locality.margin, math.lcm(locality.stride, multiple)
    if tile.pad == "none" or margin is None:
        return locality
    wide = margin.turned(tile.augment)
    rows, cols = (
        replace(trim, skip=-by.before % unit) for trim, by in ((margin.rows, wide.rows), (margin.cols, wide.cols))
    )
    moved = Margin(rows=rows, cols=cols)
    moved = moved if margin.maximum is None else moved.in_one_size(unit)
    return locality if moved == margin else replace(locality, margin=moved, radius=_moved(locality, moved))


def check_padding(locality: Locality, tile: TileConfig, halo: int | None) -> None:
    """Raise ConfigError where padding would change nothing but arithmetic: of tiles with a halo that pad themselves."""
    if tile.pad == "none" or locality.margin is not None or halo is None:
        return
    raise ConfigError(
        f"tile.pad is {tile.pad}, which pads the raster for blended tiles, and for a network that returns less than it "
        "is given. This one returns as many pixels as it is given and pads by itself, and its tiles have a halo. Leave "
        "tile.pad out."
    )


def _moved(locality: Locality, margin: Margin) -> Radius | None:
    """The radius beyond cuts that do not lie on the network's grid: as far as that of the next cut that does."""
    radius, stride = locality.radius, locality.stride
    if radius is None:
        return None
    if margin.maximum is not None:  # a tile has all that its answer needs
        rows, cols = margin.rows, margin.cols
        return Radius(
            top=rows.skip + rows.before,
            bottom=rows.after + rows.slack,
            left=cols.skip + cols.before,
            right=cols.after + cols.slack,
        )
    down, right = margin.rows.skip % stride, margin.cols.skip % stride
    return Radius(
        top=max(radius.top + down, margin.rows.skip + margin.rows.before),
        bottom=radius.bottom + -down % stride,
        left=max(radius.left + right, margin.cols.skip + margin.cols.before),
        right=radius.right + -right % stride,
    )


def aprons(
    locality: Locality, tile: TileConfig, height: int, width: int, multiple: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """(rows, cols) px that tiles see before the raster's first pixel, and (rows, cols) px behind its last.

    0 where nothing is padded.
    """
    if locality.margin is None:
        return (0, 0), (0, 0)
    (top, bottom), (left, right) = locality.margin.aprons(
        height, width, multiple, tile.augment, padded=tile.pad != "none"
    )
    return (top, left), (bottom, right)


def padded_source(source: Source, pad: str) -> Source:
    """The source as tiles see it: mirrored at its edges, or as it is, with 0 outside."""
    return Reflected(source=source) if pad == "reflect" else source


def without_class(margin: Margin | None, tile: TileConfig) -> Margin | None:
    """How near to the raster's edges pixels are nodata, on each side; None where none are."""
    return margin.turned(tile.augment) if margin is not None and tile.pad == "none" else None


def edge_remarks(locality: Locality, tile: TileConfig) -> tuple[str, ...]:
    """What becomes of the raster's edge, a sentence; nothing where neither network nor config says anything of it."""
    if locality.margin is None and tile.pad != "none":
        return (f"blended tiles begin before the raster's edges, as far as they overlap, in {PADDING[tile.pad]}",)
    if locality.margin is None:
        return ()
    wide = locality.margin.turned(tile.augment)
    if tile.pad == "none":
        return (
            f"{wide.sides} of the raster are nodata, since the network leaves them off; tile.pad: reflect "
            f"gives them a class",
        )
    return (f"the raster is padded by {wide.sides} with {PADDING[tile.pad]}, so that every pixel has a class",)
