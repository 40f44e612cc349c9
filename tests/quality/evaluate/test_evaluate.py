"""A store against labels, in pieces of all sizes, against the whole mask at once."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, StoreError
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.evaluate import MAX_TOLERANCE, evaluate, piece_side, pieces
from pipeline.quality.evaluate.result import Evaluation
from pipeline.quality.labels import IGNORE, open_labels
from pipeline.store.spec import ClassRow
from tests import scenes
from tests.quality.evaluate.stores import Known, blobs, store
from tests.quality.evaluate.test_boundary_f1 import brute
from tests.store import specs

NODATA = 255
JUDGED = [0, 3, 7]


def pair(height: int = 150, width: int = 170) -> tuple[np.ndarray, np.ndarray]:
    """Labels without clouds and with holes; a mask with clouds, holes and mistakes."""
    rng = np.random.default_rng(4)
    label = blobs(height, width, JUDGED, 1)
    mask = np.where(rng.random(label.shape) < 0.03, rng.choice([0, 3, 7, 9], label.shape), np.roll(label, 1, 1))
    label[30:50, 60:100] = IGNORE
    mask[70:90, 20:50] = NODATA
    return label, mask.astype("uint8")


def indices(codes: np.ndarray) -> np.ndarray:
    return np.select([codes == code for code in JUDGED], [0, 1, 2], 3)


def same_as_at_once(found: Evaluation, label: np.ndarray, mask: np.ndarray) -> None:
    """Counts of every pair of pixels, and of boundaries over the whole image."""
    truth, said = indices(label), indices(mask)
    expected = np.array([[((truth == row) & (said == col)).sum() for col in range(4)] for row in range(3)])
    assert (found.confusion.counts == expected).all()
    edges = found.boundaries
    assert (
        np.stack([edges.labelled, edges.labelled_hits, edges.predicted, edges.predicted_hits], 1)
        == brute(truth, said, 3, edges.tolerance)
    ).all()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("side", [None, 20, 32, 64, 96])
def test_pieces_do_not_show(tmp_path: Path, side: int | None) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    found = evaluate(opened, Known(opened.grid, label), side=side)
    same_as_at_once(found, label, mask)
    assert [row.code for row in found.classes] == JUDGED
    assert found.nodata == ((mask == NODATA) & (label != IGNORE)).sum() > 0
    assert found.ignored == ((mask == 9) & (label != IGNORE)).sum() > 0


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0, 7])
def test_the_tolerance_reaches_over_pieces(tmp_path: Path, tolerance: int) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    same_as_at_once(evaluate(opened, Known(opened.grid, label), tolerance=tolerance, side=32), label, mask)


@pytest.mark.parametrize("side", [None, 32])
def test_an_area_is_judged_as_if_nothing_else_had_a_label(tmp_path: Path, side: int | None) -> None:
    label, mask = pair()
    opened, area = store(tmp_path / "a.zarr", mask), Window(row=25, col=41, height=90, width=77)
    inside = np.full(label.shape, IGNORE)
    inside[area.slices] = label[area.slices]
    same_as_at_once(evaluate(opened, Known(opened.grid, label), area=area, side=side), inside, mask)


@pytest.mark.slow
@pytest.mark.parametrize("side", [None, 32])
def test_an_unfinished_store_is_refused_and_judged_in_part_only_where_it_is_committed(
    tmp_path: Path, side: int | None
) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask, committed=4)
    with pytest.raises(StoreError, match=r"4 of 9 blocks of level 0 are committed.*--partial"):
        evaluate(opened, Known(opened.grid, label))
    there = np.full(label.shape, IGNORE)
    there[:64], there[64:128, :64] = label[:64], label[64:128, :64]
    found = evaluate(opened, Known(opened.grid, label), partial=True, side=side)
    same_as_at_once(found, there, mask)
    assert (found.committed, found.blocks) == (4, 9)


@pytest.mark.parametrize("tolerance", [-1, MAX_TOLERANCE + 1, 10**6])
def test_a_tolerance_that_no_memory_would_hold_is_refused(tmp_path: Path, tolerance: int) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    with pytest.raises(InputError, match=rf"{tolerance} px.*from 0 to {MAX_TOLERANCE} px"):
        evaluate(opened, Known(opened.grid, label), tolerance=tolerance)


@pytest.mark.slow
def test_the_largest_tolerance_reaches_over_the_whole_image(tmp_path: Path) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    same_as_at_once(evaluate(opened, Known(opened.grid, label), tolerance=MAX_TOLERANCE), label, mask)


@pytest.mark.slow
def test_partial_changes_nothing_about_a_whole_store(tmp_path: Path) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    same_as_at_once(evaluate(opened, Known(opened.grid, label), partial=True), label, mask)


def test_an_overview_is_judged_on_its_own_grid(tmp_path: Path) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask, level=1)
    path = scenes.write(tmp_path / "labels.tif", label[None].astype("uint16"), nodata=IGNORE)
    known = open_labels(path, opened.grid, opened.classes)
    assert opened.grid.height == 75
    coarse = known.read(Window(row=0, col=0, height=75, width=85))
    assert (coarse[:, :-1] == label[1::2, 1::2][:, :84]).mean() > 0.95
    same_as_at_once(evaluate(opened, known, side=32), coarse, opened.read(Window(row=0, col=0, height=75, width=85)))


def test_labels_of_another_grid_give_what_the_same_labels_on_the_stores_own_grid_give(tmp_path: Path) -> None:
    label, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    fine = label.repeat(2, 0).repeat(2, 1)
    halved = (5.0, 0.0, 500_000.0, 0.0, -5.0, 4_600_000.0)
    path = scenes.write(
        tmp_path / "fine.tif",
        np.pad(fine, ((0, 0), (0, 40)), constant_values=0)[None].astype("uint16"),
        nodata=IGNORE,
        transform=halved,
    )
    assert specs.NORTH_UP[0] == 10
    same_as_at_once(evaluate(opened, open_labels(path, opened.grid, opened.classes), side=64), label, mask)


@pytest.mark.slow
def test_labels_of_a_class_that_is_ignored_do_not_count(tmp_path: Path) -> None:
    label, mask = pair()
    label[100:130] = 9
    opened = store(tmp_path / "a.zarr", mask)
    path = scenes.write(tmp_path / "labels.tif", label[None].astype("uint16"), nodata=IGNORE)
    same_as_at_once(
        evaluate(opened, open_labels(path, opened.grid, opened.classes)), np.where(label == 9, IGNORE, label), mask
    )


def test_codes_beyond_one_byte_and_very_many_classes(tmp_path: Path) -> None:
    classes = tuple(ClassRow(code=3 * k, name=f"c{k}", color="#000000") for k in range(300))
    codes = blobs(70, 90, [row.code for row in classes], 0, 3)
    opened = store(tmp_path / "a.zarr", np.roll(codes, 1, 1) % 255, classes)
    found = evaluate(opened, Known(opened.grid, codes))
    expected = np.zeros((300, 301), int)
    np.add.at(expected, (codes // 3, np.roll(codes, 1, 1) % 255 // 3), 1)
    assert (found.confusion.counts == expected).all()


def test_nothing_labelled_is_told(tmp_path: Path) -> None:
    _, mask = pair()
    opened = store(tmp_path / "a.zarr", mask)
    with pytest.raises(InputError, match="No pixel that is judged has a label"):
        evaluate(opened, Known(opened.grid, np.full(mask.shape, IGNORE)))


@pytest.mark.parametrize(
    "area", [Window(row=0, col=0, height=150, width=170), Window(row=33, col=64, height=70, width=31)]
)
@pytest.mark.parametrize("side", [32, 50, 500])
def test_pieces_cover_an_area_once_and_are_cut_at_whole_sides(area: Window, side: int) -> None:
    seen = np.zeros((200, 200), int)
    for piece in pieces(area, side):
        seen[piece.slices] += 1
        assert piece.row // side == (piece.rows.stop - 1) // side
        assert piece.col // side == (piece.cols.stop - 1) // side
    assert seen.sum() == area.pixels
    assert (seen[area.slices] == 1).all()


@pytest.mark.parametrize("chunk", [64, 500, 512, 2048, 3000, 4096, 20_000])
def test_pieces_are_of_bounded_size_and_cut_no_chunk_but_a_very_large_one(chunk: int) -> None:
    side = piece_side(chunk)
    assert 1000 <= side <= 4096
    assert side % chunk == 0 or chunk > 4096


@pytest.mark.nightly("scale")
def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    def peak(size: int) -> Any:
        opened = store(tmp_path / f"{size}.zarr", blobs(size, size, JUDGED, 0).astype("uint8"))
        labels = _Stripes(opened.grid)
        evaluate(opened, labels, side=128)
        # what other threads of this process allocate meanwhile is counted as well
        return min(traced(opened, labels) for _ in range(2))

    def traced(opened: Any, labels: Any) -> int:
        tracemalloc.start()
        evaluate(opened, labels, side=128)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    small, large = peak(256), peak(2048)
    assert large - small < 1.5e6  # the mask alone takes 4.2 MB


class _Stripes:
    """Labels that take no memory."""

    def __init__(self, grid: Any) -> None:
        self.grid = grid

    def read(self, window: Window) -> Any:
        return np.broadcast_to(
            np.array(JUDGED, "uint16")[np.arange(window.width) // 5 % 3], (window.height, window.width)
        ).copy()
