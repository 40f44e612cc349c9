from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pipeline.errors import LabelsError
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.quality.evaluate.class_groups import grouping
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.labels import open_labels
from pipeline.store.spec import ClassRow
from tests import scenes
from tests.quality.evaluate.stores import CLASSES, Known, blobs, store


def test_classes_of_a_mask_are_judged_as_the_labels_tell_them_apart(tmp_path: Path) -> None:
    mask, label = (blobs(90, 100, [0, 3, 7], seed).astype("uint8") for seed in (1, 2))
    mask[5:9, 5:9], mask[20:30, 20:30] = 9, 255
    opened = store(tmp_path / "a.zarr", mask)
    made = grouping(opened.classes, {"water": "wet", "*": "dry"}, opened.nodata)
    found = evaluate(made.mask(opened), made.labels(Known(opened.grid, label)))
    assert [row.name for row in found.classes] == ["dry", "wet"]
    truth, said = label == 3, mask == 3
    sure = (mask != 9) & (mask != 255)
    columns = (~said & sure, said, ~sure)
    want = [[int((row & column).sum()) for column in columns] for row in (~truth, truth)]
    assert found.confusion.counts.tolist() == want
    assert (found.nodata, found.ignored) == (100, 16)


def test_labels_name_groups_and_classes_of_the_mask_alike(tmp_path: Path) -> None:
    opened = store(tmp_path / "a.zarr", np.zeros((40, 51), "uint8"))
    made = grouping(opened.classes, {"3": "water", "*": "other"}, opened.nodata)
    values = np.tile(np.array([0, 1, 2], "uint8"), 17)[None].repeat(40, 0)
    path = scenes.write(
        tmp_path / "labels.tif", values[None], crs=opened.grid.wkt, transform=Affine(*opened.grid.transform)
    )
    labels = made.labels(open_labels(path, opened.grid, made.label_classes, values={0: "wood", 1: "water", 2: "other"}))
    other = next(row.code for row in made.judged if row.name == "other")
    assert (labels.read(Window(row=0, col=0, height=40, width=51)) == np.where(values == 1, 3, other)).all()


def test_a_group_has_a_code_that_nothing_else_has_and_is_background_where_one_of_its_classes_is() -> None:
    made = grouping(CLASSES, {"wood": "green", "*": "rest"}, 1)
    assert [(row.code, row.name, row.role) for row in made.judged] == [
        (2, "rest", "background"),
        (4, "green", None),
        (9, "cloud", "ignore"),
    ]
    assert [int(made.table[code]) for code in (0, 3, 7, 9, 1, IGNORE)] == [2, 2, 4, 9, 1, IGNORE]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"water": "water"}, "--map says nothing of ground, wood. Add ground=CLASS, or"),
        ({"lake": "water", "*": "rest"}, "lake"),
    ],
)
def test_classes_that_are_lost_or_not_there_are_told(pairs: dict[str, str], words: str) -> None:
    with pytest.raises(LabelsError, match=words):
        grouping(CLASSES, pairs, 255)


def test_an_ignored_class_may_be_taken_in_by_its_name() -> None:
    rows = (*CLASSES[:2], ClassRow(code=9, name="cloud", color="#ffffff", role="ignore"))
    assert [row.name for row in grouping(rows, {"cloud": "ground", "*": "water"}, 255).judged] == ["water", "ground"]
