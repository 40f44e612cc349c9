"""Objects of many vertices in pieces that tile them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from pipeline.objects.capping import MIN_VERTICES
from pipeline.objects.features import FeatureBatch, FeatureOptions, find_features
from pipeline.objects.mask import mask_blocks
from tests.exports.test_vectors import SLIDE
from tests.objects.test_components import ArrayMask
from tests.store import specs

NOISE = np.where(np.random.default_rng(5).random((70, 90)) < 0.75, 3, 255).astype(np.uint8)
"""One object with many holes that touch each other by corners, and some small ones."""


def batches(folder: Path, array: np.ndarray, **options: Any) -> list[FeatureBatch]:
    found = find_features(
        mask_blocks(ArrayMask(array), 32), SLIDE, specs.CLASSES, folder, options=FeatureOptions(**options)
    )
    return list(found.batches())


def shapes(batch: FeatureBatch) -> Any:
    """Of each feature, in pixels."""
    binary = batch.wkb_of(np.stack([batch.cols, batch.rows], axis=1).astype(np.float64))
    offsets = np.asarray(binary.offsets)
    return shapely.from_wkb([bytes(binary.data[a:b]) for a, b in pairwise(offsets)])


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("limit", [MIN_VERTICES, 100])
def test_pieces_are_valid_have_few_vertices_and_tile_their_object(
    tmp_path: Path, connectivity: Any, limit: int
) -> None:
    (whole,) = batches(tmp_path / "a", NOISE, connectivity=connectivity)
    (cut,) = batches(tmp_path / "b", NOISE, connectivity=connectivity, max_vertices=limit)
    assert max(whole.object_sizes) > 1000
    pieces = shapes(cut)
    assert shapely.is_valid(pieces).all()
    assert (shapely.get_num_coordinates(pieces) <= limit).all()
    assert len(pieces) > len(whole)
    for number, shape in zip(whole.attributes["id"].tolist(), shapes(whole), strict=True):
        at = cut.attributes["id"] == number
        own = pieces[at]
        assert shapely.area(own).sum() == shapely.area(shape)
        assert shapely.equals(shapely.union_all(own), shape)
        assert cut.attributes["part"][at].tolist() == list(range(1, at.sum() + 1))
        assert set(cut.attributes["parts"][at].tolist()) == {at.sum()}
        if at.sum() == 1:
            assert (own[0].normalize()).equals_exact(shape.normalize())
    points = np.concatenate([cut.rows, cut.cols])
    assert (points == np.round(points)).all()


def test_rings_turn_as_those_that_are_not_cut(tmp_path: Path) -> None:
    (whole,) = batches(tmp_path / "a", NOISE)
    (cut,) = batches(tmp_path / "b", NOISE, max_vertices=64)
    for batch in (whole, cut):
        for shape in shapes(batch):
            assert not shape.exterior.is_ccw
            assert all(ring.is_ccw for ring in shape.interiors)


def test_simplified_objects_are_cut_without_gaps(tmp_path: Path) -> None:
    (whole,) = batches(tmp_path / "a", NOISE, simplify=1.5)
    (cut,) = batches(tmp_path / "b", NOISE, simplify=1.5, max_vertices=32)
    assert shapely.is_valid(shapes(cut)).all()
    assert (shapely.get_num_coordinates(shapes(cut)) <= 32).all()
    assert shapely.area(shapes(cut)).sum() == pytest.approx(shapely.area(shapes(whole)).sum(), rel=1e-12)


def test_what_has_few_vertices_stays_as_it_is(tmp_path: Path) -> None:
    (whole,) = batches(tmp_path / "a", NOISE)
    (same,) = batches(tmp_path / "b", NOISE, max_vertices=10**6)
    for name in ("rows", "cols", "ring_sizes", "polygon_rings", "object_polygons"):
        assert (getattr(whole, name) == getattr(same, name)).all()
    assert same.attributes["parts"].max() == 1
    empty = batches(tmp_path / "c", np.full((8, 8), 255, np.uint8), max_vertices=16)
    assert sum(map(len, empty)) == 0
