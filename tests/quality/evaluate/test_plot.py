import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ExtraError
from pipeline.quality.evaluate.boundary_f1 import Boundaries
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.evaluate.plot import BARS, draw_evaluation
from pipeline.quality.evaluate.result import Evaluation
from pipeline.store.spec import ClassRow
from tests.quality.evaluate.stores import Known, store
from tests.quality.evaluate.test_evaluate import pair


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def share(picture: np.ndarray, color: str) -> float:
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return float((picture == rgb).all(-1).mean())


def judged(folder: Path) -> Evaluation:
    label, mask = pair()
    opened = store(folder / "a.zarr", mask)
    return evaluate(opened, Known(opened.grid, label))


@pytest.mark.slow
def test_bars_are_as_long_as_their_numbers_and_classes_have_their_colours(tmp_path: Path) -> None:
    found = judged(tmp_path)
    none = replace(found, confusion=Confusion(3), boundaries=Boundaries(3, 2))
    none.confusion.counts[:, -1] = 1
    drawn, empty = (
        picture[:, picture.shape[1] // 2 :]
        for picture in (pixels(draw_evaluation(found, "a")), pixels(draw_evaluation(none, "a")))
    )
    for color in BARS.values():
        assert share(drawn, color) > 3 * share(empty, color)
    assert all(share(drawn, row.color) > 1e-4 for row in found.classes)


@pytest.mark.slow
def test_the_matrix_is_dark_where_the_labels_went(tmp_path: Path) -> None:
    right, wrong = (replace(judged(tmp_path / name), confusion=Confusion(3)) for name in "ab")
    np.fill_diagonal(right.confusion.counts, 9)
    wrong.confusion.counts[:, 0] = 9
    one, other = pixels(draw_evaluation(right, "a")), pixels(draw_evaluation(wrong, "a"))
    dark = [np.argwhere((picture[:, : picture.shape[1] // 2] == (11, 60, 111)).all(-1)) for picture in (one, other)]
    assert np.corrcoef(dark[0].T)[0, 1] > 0.6
    assert np.ptp(dark[1][:, 1]) < 0.5 * np.ptp(dark[0][:, 1])


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("count", [1, 2, 40])
def test_few_and_many_classes_are_drawn_in_a_picture_of_bounded_size(tmp_path: Path, count: int) -> None:
    classes = tuple(ClassRow(code=k, name=f"a class with a long name, {k}", color="#123456") for k in range(count))
    found = replace(judged(tmp_path), classes=classes, confusion=Confusion(count), boundaries=Boundaries(count, 2))
    found.confusion.counts[:] = np.arange(count * (count + 1)).reshape(count, count + 1)
    height, width, _ = pixels(draw_evaluation(found, "a")).shape
    assert 400 < height < 3000
    assert 1200 < width < 6000


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ExtraError, match=r"wholecloth\[plots\]"):
        draw_evaluation(found, "a")
