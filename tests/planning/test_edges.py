"""The raster's edge where a network is unpadded."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from pipeline.config import TileConfig
from pipeline.errors import ConfigError
from pipeline.geometry.margin import Margin, Trim
from pipeline.interfaces import Locality, Radius
from pipeline.planning import edges
from pipeline.planning.types import TilePlan

UNET = Trim(before=92, after=92, least=188, step=16)
"""That of 2015: 572 px in, 388 out."""
MEASURED = Locality(
    verdict="local",
    stride=16,
    radius=Radius(top=92, bottom=96, left=92, right=96),
    bands=3,
    classes=2,
    minimum=200,
    margin=Margin(rows=UNET, cols=UNET),
)
REFLECT = TileConfig(pad="reflect")
PADS_BY_ITSELF = Locality(verdict="local", stride=1, radius=None, bands=3, classes=2, minimum=1)


def test_tiles_begin_on_the_stride_and_the_network_exactly_its_margin_before_the_raster() -> None:
    found = edges.with_padding(MEASURED, REFLECT, 1)
    assert found.margin is not None
    assert (found.margin.rows.skip, found.margin.cols.skip) == (4, 4)
    assert found.radius == Radius(top=96, bottom=108, left=96, right=108)
    assert edges.aprons(found, REFLECT, 388, 389, 16) == ((96, 96), (92, 107))


def test_what_a_frozen_plan_measured_is_as_it_was() -> None:
    found = edges.with_padding(MEASURED, REFLECT, 1)
    assert edges.with_padding(Locality.of(asdict(found)), REFLECT, 1) == found


def test_a_raster_that_is_not_padded_is_seen_as_before() -> None:
    assert edges.with_padding(MEASURED, TileConfig(), 1) is MEASURED
    assert edges.aprons(MEASURED, TileConfig(), 388, 389, 16) == ((0, 0), (0, 0))
    assert edges.without_class(MEASURED.margin, TileConfig()) == MEASURED.margin
    assert edges.without_class(MEASURED.margin, REFLECT) is None


def test_mirrored_tiles_see_as_much_behind_the_raster_as_before_it() -> None:
    uneven = Margin(rows=Trim(before=5, after=3, least=9, step=1), cols=Trim(before=2, after=4, least=7, step=1))
    assert uneven.aprons(50, 60, 1, "none", padded=True) == ((5, 3), (2, 4))
    assert uneven.aprons(50, 60, 1, "flips", padded=True) == ((5, 5), (4, 4))
    assert uneven.aprons(50, 60, 8, "dihedral", padded=True) == ((8, 8), (8, 8))


def test_what_becomes_of_the_edge_is_said() -> None:
    assert edges.edge_remarks(MEASURED, TileConfig())[0].startswith("92 px on each side of the raster are nodata")
    assert "mirror image" in edges.edge_remarks(MEASURED, REFLECT)[0]
    with pytest.raises(ConfigError, match=r"Leave tile\.pad out"):
        edges.check_padding(PADS_BY_ITSELF, REFLECT, 8)
    edges.check_padding(PADS_BY_ITSELF, REFLECT, None)
    edges.check_padding(PADS_BY_ITSELF, TileConfig(), 8)
    edges.check_padding(MEASURED, REFLECT, 8)


def test_a_store_that_is_not_padded_says_its_tiles_as_before_there_was_a_choice() -> None:
    plain = TilePlan(
        height=9,
        width=9,
        block=9,
        chunk=9,
        shard=None,
        multiple=1,
        minimum=1,
        halo=1,
        core=9,
        size=9,
        step=0,
        taper="flat",
        blend="logits",
        exact=True,
        why="",
    )
    assert not {"pad", "near", "far"} & plain.as_dict().keys()
    assert TilePlan.of(plain.as_dict()) == plain
    padded = TilePlan.of({**plain.as_dict(), "pad": "reflect", "near": [1, 2], "far": [3, 4]})
    assert (padded.near, padded.far) == ((1, 2), (3, 4))
    assert TilePlan.of(padded.as_dict()) == padded
