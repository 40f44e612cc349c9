from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.geometry.grid import Grid
from pipeline.objects import crossings, outlines
from pipeline.objects.features import FeatureOptions, find_features
from pipeline.objects.mask import mask_blocks
from pipeline.objects.visvalingam import kept_points
from pipeline.store.spec import ClassRow
from tests.objects.test_components import NODATA, ArrayMask, masks

CLASSES = tuple(ClassRow(code=code, name=f"class {code}", color="#000000") for code in range(5))


def simplified(array: np.ndarray, folder: Path, side: int, **options: Any) -> tuple[np.ndarray, dict[str, Any], Any]:
    """Geometries, attributes and the simplification."""
    height, width = array.shape
    features = find_features(
        mask_blocks(ArrayMask(array), side),
        Grid(height=height, width=width),
        CLASSES,
        folder / "scratch",
        options=FeatureOptions(**options),
    )
    simplification = features.simplification()
    batches = list(features.batches(simplification))
    geometries = [shapely.from_wkb(value) for batch in batches for value in batch.wkb().values()]
    attributes = {
        name: np.concatenate([batch.attributes[name] for batch in batches]) for name in features.fields.names if batches
    }
    return np.array(geometries), attributes, simplification


def blobs(seed: int, size: int, classes: int = 4, holes: bool = False) -> np.ndarray:
    """Classes with wavy boundaries."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.random((size, size)), 4, mode="wrap") for _ in range(classes)]
    array = np.argmax(fields, axis=0).astype(np.uint8)
    if holes:
        array[ndimage.gaussian_filter(rng.random((size, size)), 3) > 0.53] = NODATA
    return array


@pytest.mark.parametrize("tolerance", [1.0, 6.0])
def test_a_simplified_coverage_is_valid_and_as_large_as_before(tolerance: float, tmp_path: Path) -> None:
    array = blobs(int(tolerance), 100)
    geometries, attributes, simplification = simplified(array, tmp_path / "a", 50, simplify=tolerance)
    exact, before, _ = simplified(array, tmp_path / "b", 50)
    assert shapely.is_valid(geometries).all()
    assert shapely.coverage_is_valid(geometries)
    assert shapely.area(geometries).sum() == pytest.approx(array.size, rel=1e-12)
    assert shapely.get_num_coordinates(geometries).sum() < 0.7 * shapely.get_num_coordinates(exact).sum()
    for name, values in attributes.items():
        assert (values == before[name]).all(), name
    assert simplification.unchanged_arcs < simplification.arcs / 3


@settings(max_examples=max(settings.default.max_examples // 2, 10))
@given(
    array=masks((0, 1, 2, NODATA)),
    side=st.integers(2, 9),
    connectivity=st.sampled_from([4, 8]),
    tolerance=st.sampled_from([0.8, 2.0, 50.0]),
)
def test_any_mask_stays_a_valid_coverage(array: np.ndarray, side: int, connectivity: int, tolerance: float) -> None:
    options = {"connectivity": connectivity, "simplify": tolerance}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        whole = simplified(array, Path(folder) / "a", 20, **options)
        patch.setattr(outlines, "BATCH_CORNERS", 20)
        patch.setattr(crossings, "BAND_SEGMENTS", 8)
        patch.setattr(crossings, "_BAND_ROWS", 2)
        parts = simplified(array, Path(folder) / "b", side, **options)
    assert shapely.equals_exact(whole[0], parts[0]).all()
    assert whole[2].unchanged_arcs == parts[2].unchanged_arcs
    if len(parts[0]):
        assert shapely.is_valid(parts[0]).all()
        assert shapely.coverage_is_valid(parts[0])
        if (array != NODATA).all():
            assert shapely.area(parts[0]).sum() == pytest.approx(array.size)


def test_classes_that_are_left_out_still_cut_arcs(tmp_path: Path) -> None:
    array = blobs(1, 80, holes=True)
    every, attributes, _ = simplified(array, tmp_path / "a", 33, simplify=2.0)
    some, _, _ = simplified(array, tmp_path / "b", 33, simplify=2.0, codes=(0, 2))
    nodes = set(map(tuple, shapely.get_coordinates(some).tolist()))
    assert shapely.coverage_is_valid(some)
    assert len(some) == np.isin(attributes["code"], (0, 2)).sum()
    assert nodes <= {tuple(point) for point in shapely.get_coordinates(every).tolist()} | {
        tuple(point) for point in shapely.get_coordinates(simplified(array, tmp_path / "c", 33)[0]).tolist()
    }


def reference_kept(points: np.ndarray, area: float) -> np.ndarray:
    """Visvalingam by looking at all triangles again and again."""
    stays = list(range(len(points)))
    fewest = 4 if (points[0] == points[-1]).all() else 2
    while len(stays) > fewest:
        triangles = points[np.stack([stays[:-2], stays[1:-1], stays[2:]])]
        first, second = triangles[1] - triangles[0], triangles[2] - triangles[0]
        sizes = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
        if sizes.min() > area:
            break
        del stays[int(sizes.argmin()) + 1]
    return np.isin(np.arange(len(points)), stays)


@given(
    points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20, unique=True),
    closed=st.booleans(),
    area=st.sampled_from([0.5, 2.0, 10.0, 1000.0]),
)
def test_points_go_as_visvalingam_says(points: list[tuple[int, int]], closed: bool, area: float) -> None:
    line = np.array([*points, points[0]] if closed and len(points) > 2 else points)
    assert (kept_points(line, area) == reference_kept(line, area)).all()
