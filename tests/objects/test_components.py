from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from pipeline.geometry.window import Window
from pipeline.objects import components as components_module
from pipeline.objects import scratch as scratch_module
from pipeline.objects.columns import Measures
from pipeline.objects.components import Components, find_components
from pipeline.objects.mask import mask_blocks
from pipeline.objects.neighbours import surroundings

NODATA = 255
Edges = dict[tuple[int, int], int]


@dataclass
class ArrayMask:
    array: np.ndarray
    nodata: int = NODATA

    @property
    def height(self) -> int:
        return self.array.shape[0]

    @property
    def width(self) -> int:
        return self.array.shape[1]

    def read(self, window: Window) -> np.ndarray:
        return self.array[window.slices]


def components_of(array: np.ndarray, folder: Path, side: int, connectivity: Any = 4, **measures: Any) -> Components:
    blocks = mask_blocks(ArrayMask(array), side)
    return find_components(blocks, folder / "scratch", connectivity=connectivity, measures=Measures(**measures))


def index_image(components: Components) -> np.ndarray:
    image = np.full((components.blocks.mask.height, components.blocks.mask.width), -2)
    for position in components.blocks.positions.tolist():
        window, _, indices = components.index_block(tuple(position))
        image[window.slices] = indices
    return image


def reference_ids(array: np.ndarray, connectivity: int = 4) -> np.ndarray:
    """Ids of the whole array, by scipy: 1 + index of the first pixel, 0 at nodata."""
    ids = np.zeros(array.shape, dtype=np.int64)
    for code in np.unique(array[array != NODATA]):
        labels, count = ndimage.label(array == code, structure=np.ones((3, 3)) if connectivity == 8 else None)
        numbers = np.arange(1, array.size + 1).reshape(array.shape)
        first = ndimage.minimum(numbers, labels, np.arange(1, count + 1)).astype(np.int64)
        ids[labels > 0] = first[labels[labels > 0] - 1]
    return ids


def masks(values: tuple[int, ...] = (0, 1, NODATA)) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=13)
    return hnp.arrays(np.uint8, shapes, elements=st.sampled_from(values))


def edges_between(ids: np.ndarray) -> Edges:
    """Pixel edges between each two ids; 0 is nodata, −1 outside."""
    padded = np.pad(ids, 1, constant_values=-1)
    counts: Edges = {}
    for first, second in ((padded[:-1], padded[1:]), (padded[:, :-1], padded[:, 1:])):
        for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
            if a != b:
                for pair in ((a, b), (b, a)):
                    counts[pair] = counts.get(pair, 0) + 1
    return counts


@given(
    array=st.sampled_from([(0, 1, NODATA), (0, 1, 2, NODATA)]).flatmap(masks),
    side=st.integers(1, 9),
    connectivity=st.sampled_from([4, 8]),
)
def test_components_equal_those_of_the_whole_image(array: np.ndarray, side: int, connectivity: int) -> None:
    areas = 1e-3 * (1 + np.arange(array.size).reshape(array.shape) % 7)
    confidence = (np.arange(array.size).reshape(array.shape) * 37 % 256).astype(np.uint8)
    ids = reference_ids(array, connectivity)
    edges = edges_between(ids)
    with TemporaryDirectory() as folder:
        components = components_of(
            array,
            Path(folder),
            side,
            connectivity,
            area_of=lambda window: areas[window.slices],
            confidence_of=lambda window: confidence[window.slices],
            neighbours=True,
        )
        names = components.ids().astype(int)
        assert names.tolist() == np.unique(ids[ids > 0]).tolist()
        assert (np.concatenate([[0], names])[index_image(components) + 1] == ids).all()
        expected_areas = [areas[ids == name].sum() for name in names]
        assert components.areas(components.table.read()) == pytest.approx(expected_areas, rel=1e-12)
        assert_measures(components, ids, edges, array, confidence)
        assert_surroundings(components, edges, array)


def assert_measures(
    components: Components, ids: np.ndarray, edges: Edges, array: np.ndarray, confidence: np.ndarray
) -> None:
    table, names = components.table.read(), components.ids().astype(int)
    for k, name in enumerate(names.tolist()):
        rows, cols = np.nonzero(ids == name)
        expected = {
            "first": name - 1,
            "code": array.flat[name - 1],
            "pixels": len(rows),
            "row_min": rows.min(),
            "row_max": rows.max(),
            "col_min": cols.min(),
            "col_max": cols.max(),
            "row_sum": (2 * rows + 1).sum(),
            "col_sum": (2 * cols + 1).sum(),
            "confidence": confidence[rows, cols].astype(int).sum(),
            "nodata_edges": edges.get((name, 0), 0),
            "outside_edges": edges.get((name, -1), 0),
        }
        assert {column: int(table[column][k]) for column in expected} == expected
        assert table["row_edges"][k] + table["col_edges"][k] == sum(n for (a, _), n in edges.items() if a == name)
    shared = np.concatenate([np.zeros((0, 3), int), *(pairs for _, _, pairs in components.borders(2))])
    expected_pairs = {(a, b): n for (a, b), n in edges.items() if min(a, b) > 0}
    assert {(names[a], names[b]): n for a, b, n in shared.tolist()} == expected_pairs


def assert_surroundings(components: Components, edges: Edges, array: np.ndarray) -> None:
    around = list(surroundings(components, 3))
    for k, name in enumerate(components.ids().tolist()):
        lengths = [(-n, int(array.flat[b - 1])) for (a, b), n in edges.items() if a == name and b > 0]
        enclosed = not any(edges.get((name, b)) for b in (0, -1)) and len({code for _, code in lengths}) == 1
        batch = around[k // 3]
        assert batch.start == k // 3 * 3
        longest = (-int(batch.longest_edges[k % 3]), int(batch.longest_code[k % 3]))
        assert longest == min(lengths, default=(0, -1))
        assert batch.enclosing_code[k % 3] == (lengths[0][1] if enclosed else -1)


def test_components_beyond_what_is_sorted_at_once_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(1).integers(0, 3, (60, 70)).astype(np.uint8)
    whole = components_of(array, tmp_path / "a", 100)
    monkeypatch.setattr(components_module, "SORTED_AT_ONCE", 50)
    monkeypatch.setattr(scratch_module, "PIECE", 64)
    parts = components_of(array, tmp_path / "b", 16)
    for name, values in whole.table.read().items():
        assert (parts.table.read()[name] == values).all(), name
    assert (index_image(parts) == index_image(whole)).all()


def test_blocks_that_are_absent_are_nodata_and_never_read(tmp_path: Path) -> None:
    mask = EndlessMask()
    places = [(0, 0), (0, 1), (1, 1), (500, 999), (999, 999)]
    components = find_components(mask_blocks(mask, 1000, places), tmp_path / "s", measures=Measures(borders=True))
    table = components.table.read()
    assert mask.windows == [(row * 1000, col * 1000) for row, col in places]
    assert components.ids().tolist() == [row * 1000 * 10**6 + col * 1000 + 1 for row, col in (places[0], *places[3:])]
    assert table["pixels"].tolist() == [3_000_000, 1_000_000, 1_000_000]
    assert (table["row_edges"] + table["col_edges"]).tolist() == [8000, 4000, 4000]
    assert table["outside_edges"].tolist() == [3000, 1000, 2000]
    assert components.id_dtype == np.uint64


@dataclass
class EndlessMask:
    height: int = 10**6
    width: int = 10**6
    nodata: int = NODATA
    windows: list[tuple[int, int]] = field(default_factory=list)

    def read(self, window: Window) -> np.ndarray:
        self.windows.append((window.row, window.col))
        return np.zeros((window.height, window.width), dtype=np.uint8)
