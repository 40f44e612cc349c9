from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.objects import outlines as outlines_module
from pipeline.objects.mask import mask_blocks
from pipeline.objects.outlines import ObjectRings, find_outlines, object_rings, outline_batches
from pipeline.objects.parts import find_objects
from tests.objects.test_components import ArrayMask, masks, reference_ids


def polygons_of(array: np.ndarray, folder: Path, side: int, connectivity: Any = 4) -> dict[int, Any]:
    """Geometry of each object by its id, in lattice points."""
    found = find_objects(mask_blocks(ArrayMask(array), side), folder / "a", connectivity=connectivity)
    outlines = find_outlines(found, found.owners, folder)
    geometries = {}
    ids = found.objects.ids()
    for batch in outline_batches(outlines, found.objects.table.read()["row_max"], folder):
        for number, geometry in zip(batch.objects, geometries_of(object_rings(batch)), strict=True):
            geometries[int(ids[number])] = geometry
    return geometries


def geometries_of(traced: ObjectRings) -> list[Any]:
    rings = traced.rings
    points = np.stack([rings.cols, rings.rows], axis=1)
    lines = [shapely.linearrings(ring) for ring in np.split(points, np.cumsum(rings.sizes)[:-1])]
    cuts = np.cumsum(traced.polygon_rings)
    shells = [
        shapely.polygons(lines[stop - count], lines[stop - count + 1 : stop] or None)
        for stop, count in zip(cuts, traced.polygon_rings, strict=True)
    ]
    ends = np.cumsum(traced.object_polygons)
    return [
        shells[stop - 1] if count == 1 else shapely.multipolygons(shells[stop - count : stop])
        for stop, count in zip(ends, traced.object_polygons, strict=True)
    ]


def reference_polygons(array: np.ndarray, connectivity: int) -> dict[int, Any]:
    """Geometry of each object of the whole array, by rasterio, whose rings may touch themselves."""
    ids = reference_ids(array, connectivity).astype(np.int32)
    geometries: dict[int, list[Any]] = {}
    for shape, name in rasterio.features.shapes(ids, mask=ids > 0, connectivity=4):
        geometries.setdefault(int(name), []).append(shapely.make_valid(shapely.geometry.shape(shape)))
    return {name: shapely.union_all(parts) for name, parts in geometries.items()}


@given(array=masks(), side=st.integers(1, 9), connectivity=st.sampled_from([4, 8]))
def test_polygons_equal_those_of_the_whole_image(array: np.ndarray, side: int, connectivity: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlines_module, "BATCH_CORNERS", 20)
        geometries = polygons_of(array, Path(folder), side, connectivity)
    expected = reference_polygons(array, connectivity)
    assert geometries.keys() == expected.keys()
    for name, geometry in geometries.items():
        assert geometry.is_valid
        assert geometry.area == (reference_ids(array, connectivity) == name).sum()
        assert shapely.equals(geometry, expected[name])
        assert shapely.get_num_coordinates(geometry) == shapely.get_num_coordinates(shapely.simplify(geometry, 0))
        outer = shapely.get_exterior_ring(shapely.get_parts(geometry))
        assert not shapely.is_ccw(outer).any()  # rows count downwards: counter-clockwise on a screen
