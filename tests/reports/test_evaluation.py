"""The page of an evaluation shows where a layer is wrong, as text, and replaces nothing that is foreign."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import InputError
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.evaluate import evaluate, judged_classes
from pipeline.quality.evaluate.numbers import ChannelScore, NumberEvaluation
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.reports import error_maps, pictures
from pipeline.reports.evaluation import require_evaluation_page, write_class_page, write_number_page
from pipeline.store.reader import StoreLevel
from pipeline.store.spec import ClassRow
from tests import scenes
from tests.quality.evaluate.stores import CLASSES, Known, store
from tests.quality.evaluate.test_evaluate import pair
from tests.reports.test_page import ASKS, EVIL, Text

WINDOW = Window(row=0, col=0, height=2, width=3)
ROWS = (ClassRow(code=0, name="a", color="#ff0000"), ClassRow(code=5, name="b", color="#0000ff"))


def rgba(picture: pictures.PagePicture) -> np.ndarray:
    """(rows, cols, 4) of a picture, before it was enlarged."""
    image = Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1]))).convert("RGBA")
    return np.asarray(image)[:: image.height // 2, :: image.width // 3]


def judged(folder: Path) -> tuple[Path, StoreLevel]:
    """A store whose names are markup, with the page of its evaluation."""
    label, mask = pair()
    classes = tuple(replace(row, name=f"{EVIL}{row.code}") for row in CLASSES)
    opened = store(folder / "<b>a.zarr", mask, classes)
    kept = PairSamples.of_classes(
        Window(row=0, col=0, height=opened.height, width=opened.width), len(judged_classes(opened))
    )
    result = evaluate(opened, Known(opened.grid, label), samples=kept)
    page = folder / "page.html"
    write_class_page(page, opened, result, kept, "<i>labels.tif", [("--ignore", "<u>7")])
    return page, opened


def test_a_page_shows_names_as_text_and_asks_nothing(tmp_path: Path) -> None:
    page, _ = judged(tmp_path)
    text = page.read_text(encoding="utf-8")
    parsed = Text(text)
    for words in (
        f"{EVIL}3",
        "<b>a.zarr",
        "<i>labels.tif",
        "<u>7",
        "labelled pixels of 25,500",
        "Most frequent errors",
    ):
        assert words in parsed.text, words
    assert not {"script", "i", "u"} & set(parsed.tags)
    assert all(str(source).startswith("data:image/png") for source in parsed.attributes[("img", "src")])
    assert not ASKS.search(re.sub(r'src="data:[^"]*"', "", text.replace("&lt;", "")).replace("onerror=&#34;", ""))
    (policy,) = [content for content in parsed.attributes[("meta", "content")] if content and "default-src" in content]
    assert policy.startswith("default-src 'none'; ")
    assert not any(name == "style" for _, name in parsed.attributes)
    assert len(text) < 2 << 20


def test_a_page_is_replaced_and_no_foreign_file_is(tmp_path: Path) -> None:
    page, opened = judged(tmp_path)
    require_evaluation_page(page, opened.path)
    for foreign in (
        b"mine",
        b"<!-- wholecloth-export store=%3Cb%3Ea.zarr id= state=. -->",
        page.read_bytes().replace(b"3Ea.zarr", b"3Eb.zarr"),
    ):
        page.write_bytes(foreign)
        with pytest.raises(InputError, match="was left as it is"):
            require_evaluation_page(page, opened.path)
        assert page.read_bytes() == foreign


def test_maps_are_in_the_colours_of_what_was_missed_and_of_what_it_was_taken_for() -> None:
    kept = PairSamples.of_classes(WINDOW, 2)
    kept.add(WINDOW, np.array([[0, 0, 0], [1, 1, 2]]), np.array([[0, 1, 2], [1, 0, 0]]))
    _, layer, missed, false = (rgba(one.picture) for one in error_maps.class_maps(kept, ROWS, "mask"))
    red, blue = (255, 0, 0, 255), (0, 0, 255, 255)
    right, black, nothing = error_maps.RIGHT, error_maps.UNPREDICTED, error_maps.NO_LABEL
    assert layer.tolist() == np.array([[red, blue, black], [blue, red, nothing]]).tolist()
    assert missed.tolist() == np.array([[right, red, red], [right, blue, nothing]]).tolist()
    assert false.tolist() == np.array([[right, blue, black], [right, red, nothing]]).tolist()


def test_a_map_of_more_classes_than_a_palette_holds_keeps_their_colours() -> None:
    rows = [ClassRow(code=k, name=str(k), color=f"#{k:06x}") for k in range(300)]
    kept = PairSamples.of_classes(WINDOW, 300)
    kept.add(WINDOW, np.array([[299, 299, 299], [1, 1, 1]]), np.full((2, 3), 299))
    labels = rgba(error_maps.class_maps(kept, rows, "mask")[0].picture)
    assert labels[0, 0].tolist() == [0, 1, 43, 255]
    assert labels[1, 0].tolist() == [0, 0, 1, 255]


def test_a_page_of_numbers_has_errors_and_a_map_of_differences(tmp_path: Path) -> None:
    opened = store(tmp_path / "a.zarr", pair()[1])
    kept, score = PairSamples.of_numbers(WINDOW), ChannelScore(name=EVIL)
    labels, numbers = np.array([[0.0, 0, 0], [1, 1, np.nan]]), np.array([[-1.0, 0, 1], [1, 1, 1]])
    kept.add(WINDOW, labels, numbers)
    score.add(numbers, labels)
    write_number_page(
        tmp_path / "a.html",
        opened,
        NumberEvaluation(channels=(score,), committed=9, blocks=9),
        [kept],
        "b.tif",
        [],
    )
    text = Text((tmp_path / "a.html").read_text(encoding="utf-8")).text
    for words in (EVIL, "RMSE", f"{score.rmse:.5g}", "Maps show every pixel"):
        assert words in text, words
    difference = rgba(error_maps.number_maps(kept, "a")[2].picture)
    assert tuple(difference[0, 0, :3]) == error_maps.TOO_LOW
    assert tuple(difference[0, 1, :3]) == error_maps.ZERO
    assert tuple(difference[0, 2, :3]) == error_maps.TOO_HIGH
    assert difference[1, 2, 3] == 0


def test_the_command_writes_the_page_of_the_part_that_is_judged(tmp_path: Path) -> None:
    label, mask = pair()
    store(tmp_path / "a.zarr", mask)
    labels = scenes.write(tmp_path / "labels.tif", np.where(label > 9, 7, label).astype(np.uint8)[None])
    page, command = tmp_path / "a.html", ["evaluate", str(tmp_path / "a.zarr"), "--labels", str(labels)]
    done = CliRunner().invoke(app, [*command, "--area", "10,20,30,60", "--html", str(page)])
    assert done.exit_code == 0, done.output
    parsed = Text(page.read_text(encoding="utf-8"))
    assert "--area 10,20,30,60" in " ".join(parsed.text.split())
    assert {int(str(height)) * 2 for height in parsed.attributes[("img", "height")]} == {
        int(str(width)) for width in parsed.attributes[("img", "width")]
    }
    page.write_text("mine")
    refused = CliRunner().invoke(app, [*command, "--html", str(page)])
    assert isinstance(refused.exception, InputError)
    assert page.read_text() == "mine"
