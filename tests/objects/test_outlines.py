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
from scipy import ndimage

from pipeline.objects import outlines as outlines_module
from pipeline.objects.mask import mask_blocks
from pipeline.objects.outlines import ObjectRings, find_outlines, object_rings, outline_batches
from pipeline.objects.parts import find_objects
from tests.objects.test_components import NODATA, ArrayMask, masks, reference_ids


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
    expected, ids = reference_polygons(array, connectivity), reference_ids(array, connectivity)
    assert geometries.keys() == expected.keys()
    for name, geometry in geometries.items():
        assert geometry.is_valid
        assert geometry.area == (ids == name).sum()
        assert shapely.equals(geometry, expected[name])
        assert shapely.get_num_coordinates(geometry) == shapely.get_num_coordinates(shapely.simplify(geometry, 0))
        outer = shapely.get_exterior_ring(shapely.get_parts(geometry))
        assert not shapely.is_ccw(outer).any()  # rows count downwards: counter-clockwise on a screen


def spiral(size: int) -> np.ndarray:
    """One arm that winds inwards, one pixel wide."""
    array = np.full((size, size), NODATA, dtype=np.uint8)
    row, col, direction = 0, 0, (0, 1)
    while True:
        array[row, col] = 1
        for _ in range(2):
            ahead = [(row + k * direction[0], col + k * direction[1]) for k in (1, 2)]
            inside = [0 <= r < size and 0 <= c < size for r, c in ahead]
            if inside[0] and array[ahead[0]] != 1 and not (inside[1] and array[ahead[1]] == 1):
                break
            direction = (direction[1], -direction[0])
        else:
            return array
        row, col = ahead[0]


def comb(size: int) -> np.ndarray:
    """Teeth that hang on one line at the bottom, so that they are one object at the very end."""
    array = np.full((size, size), NODATA, dtype=np.uint8)
    array[:, ::2] = 1
    array[-1] = 1
    return array


def ring_with_bridge(size: int) -> np.ndarray:
    """A ring across all blocks, a one-pixel bridge to a core, which touches itself by a corner."""
    array = np.zeros((size, size), dtype=np.uint8)
    array[2:-2, 2:-2] = 1
    array[4:-4, 4:-4] = NODATA
    array[size // 2, 4:-4] = 1
    array[6:10, 6:10] = array[10:12, 10:12] = 2
    return array


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("side", [5, 8, 16, 100])
@pytest.mark.parametrize("shape", [spiral, comb, ring_with_bridge])
def test_shapes_across_many_blocks_are_whole(shape: Any, side: int, connectivity: int, tmp_path: Path) -> None:
    array = shape(23)
    geometries = polygons_of(array, tmp_path, side, connectivity)
    expected = reference_polygons(array, connectivity)
    assert geometries.keys() == expected.keys()
    for name, geometry in geometries.items():
        assert geometry.is_valid
        assert shapely.equals(geometry, expected[name])


def test_many_thousand_objects_in_several_batches_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines_module, "BATCH_OBJECTS", 2**13)
    array = (np.random.default_rng(0).random((400, 400)) < 0.5).astype(np.uint8)
    found = find_objects(mask_blocks(ArrayMask(array), 128), tmp_path / "a")
    outlines = find_outlines(found, found.owners, tmp_path)
    count, area, batches = 0, 0, 0
    for batch in outline_batches(outlines, found.objects.table.read()["row_max"], tmp_path):
        traced = object_rings(batch)
        rows, cols = traced.rings.rows.astype(np.int64), traced.rings.cols.astype(np.int64)
        following = np.arange(1, len(rows) + 1)
        ends = np.cumsum(traced.rings.sizes)
        following[ends - 1] = ends - traced.rings.sizes
        area += int((rows * cols[following] - rows[following] * cols).sum()) // 2
        count += len(traced.objects)
        batches += 1
    expected = sum(ndimage.label(array == code)[1] for code in (0, 1))
    assert count == expected > 16_000
    assert batches > 1
    assert area == array.size
