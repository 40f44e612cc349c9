"""The page of a training shows curves, scores and examples, as text, and replaces nothing that is foreign."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.reports.training import Curve, HeldOutBlock, TrainingContent, render_training, require_training_page
from pipeline.store.spec import ClassRow
from tests.reports.test_page import ASKS, EVIL, Text

CLASSES = (ClassRow(code=0, name=EVIL, color="#ff0000"), ClassRow(code=1, name="b", color="#0000ff"))
WINDOW = Window(row=0, col=0, height=2, width=3)
NAN = float("nan")


def content(counts: list[list[int]] | None = None) -> TrainingContent:
    """Of two rounds and one example, whose names are markup."""
    confusion, samples = Confusion(2), PairSamples.of_classes(WINDOW, 2)
    confusion.counts += np.array(counts or np.zeros((2, 3)), np.int64)
    samples.add(WINDOW, np.array([[0, 0, 0], [1, 1, 2]]), np.array([[0, 1, 2], [1, 0, 0]]))
    steps = [10, 20]
    return TrainingContent(
        weights="<b>a.safetensors",
        classes=CLASSES,
        best=2,
        rounds=2,
        mean_iou=0.45,
        accuracy=0.6,
        curves=[
            Curve(name="loss", color="", steps=steps, values=[2.0, 1.0]),
            Curve(name="mean", color="", steps=steps, values=[0.25, 0.5]),
            Curve(name=EVIL, color="#ff0000", steps=steps, values=[NAN, 1.0]),
        ],
        confusion=confusion,
        examples=[
            HeldOutBlock(
                place="<i>scene",
                values=np.arange(6, dtype=np.float32).reshape(1, 2, 3),
                valid=np.ones((2, 3), bool),
                samples=samples,
            )
        ],
        facts=[("scene", "<u>scene")],
        config={"source": {"path": "https://user:secret@host/a.tif"}},
        versions=[("wholecloth", "1")],
    )


def test_a_page_shows_curves_scores_and_examples_as_text_and_asks_nothing() -> None:
    text = render_training(content([[3, 1, 1], [0, 5, 0]]))
    parsed = Text(text)
    for words in (EVIL, "<b>a.safetensors", "<i>scene", "<u>scene", "Mean IoU 0.450", "5 px judged", "60.0%"):
        assert words in parsed.text, words
    assert "secret" not in text
    assert not {"script", "i", "u"} & set(parsed.tags)
    assert not ASKS.search(re.sub(r'src="data:[^"]*"', "", text.replace("&lt;", "")).replace("onerror=&#34;", ""))
    assert not any(name == "style" for _, name in parsed.attributes)
    assert parsed.attributes[("img", "alt")] == ["image", "labels", "prediction", "missed"]
    points = [str(line).split() for line in parsed.attributes[("polyline", "points")]]
    assert points == [["50.00,0.00", "100.00,50.00"], ["100.00,0.00"], ["50.00,75.00", "100.00,50.00"]]


def test_a_round_without_counts_has_no_matrix_and_a_page_all_the_same() -> None:
    text = Text(render_training(content())).text
    assert "Where the labels of each class went" not in text
    assert "Mean IoU 0.450" in text


def test_a_page_is_replaced_and_no_foreign_file_is(tmp_path: Path) -> None:
    page = tmp_path / "a.training.html"
    require_training_page(page, "<b>a.safetensors")
    page.write_text(render_training(content()), encoding="utf-8")
    require_training_page(page, "<b>a.safetensors")
    for foreign, weights in (("mine", "<b>a.safetensors"), (page.read_text(encoding="utf-8"), "b.safetensors")):
        page.write_text(foreign, encoding="utf-8")
        with pytest.raises(ConfigError, match="was left as it is"):
            require_training_page(page, weights)
        assert page.read_text(encoding="utf-8") == foreign
