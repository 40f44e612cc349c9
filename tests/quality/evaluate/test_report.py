import json
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.evaluate.report import area_of, evaluation_document, print_evaluation
from pipeline.quality.evaluate.result import Evaluation, evaluation_lines
from pipeline.store.reader import StoreLevel
from tests.quality.evaluate.stores import Known, store
from tests.quality.evaluate.test_evaluate import pair


def judged(folder: Path, committed: int | None = None) -> tuple[Evaluation, StoreLevel]:
    label, mask = pair()
    label[label == 7] = 3
    mask[mask == 7] = 0
    opened = store(folder / "a.zarr", mask, committed=committed)
    return evaluate(opened, Known(opened.grid, label), partial=True), opened


def test_the_document_holds_every_number_and_null_where_there_is_none(tmp_path: Path) -> None:
    found, opened = judged(tmp_path)
    said = json.loads(json.dumps(evaluation_document(found, opened, "b.tif"), allow_nan=False))
    assert said["pixels"] == {"labelled": found.confusion.pixels, "nodata": found.nodata, "ignored": found.ignored}
    assert [row["code"] for row in said["classes"]] == [0, 3, 7]
    assert said["classes"][2] == {
        "code": 7,
        "name": "wood",
        "iou": None,
        "f1": None,
        "precision": None,
        "recall": None,
        "boundary_f1": None,
        "labelled": 0,
        "predicted": 0,
        "hits": 0,
    }
    assert said["classes"][1]["iou"] == found.confusion.iou()[1]
    assert said["mean_iou"] == pytest.approx((said["classes"][0]["iou"] + said["classes"][1]["iou"]) / 2)
    assert said["confusion"]["counts"] == found.confusion.counts.tolist()
    assert said["blocks"] == {"committed": 9, "all": 9}


def test_the_table_is_aligned_and_says_what_was_missed(tmp_path: Path) -> None:
    found, opened = judged(tmp_path)
    said = evaluation_lines(found, opened, "b.tif")
    table = [line for line in said if line.startswith(("class ", "ground", "water", "wood"))]
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["class", "IoU", "F1", "precision", "recall", "boundary", "F1", "labelled"]
    assert table[3].split() == ["wood", "–", "–", "–", "–", "–", "0.00%"]
    assert table[1].split()[1] == f"{found.confusion.iou()[0]:.3f}"
    assert "layer    mask" in said
    assert any(f"{found.nodata:,} of them are nodata in it" in line for line in said)
    assert any(f"{found.ignored:,} are predicted as a class of role ignore" in line for line in said)
    assert not any("partial" in line for line in said)


def test_a_partial_evaluation_says_so(tmp_path: Path) -> None:
    found, opened = judged(tmp_path, committed=5)
    assert any("5 of 9 blocks are committed" in line for line in evaluation_lines(found, opened, "b.tif"))


@pytest.mark.slow
def test_json_goes_to_a_file_beside_the_table_or_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, opened = judged(tmp_path)
    print_evaluation(found, opened, "b.tif", str(tmp_path / "a.json"), tmp_path / "a.png")
    assert "mean IoU" in capsys.readouterr().out
    said = json.loads((tmp_path / "a.json").read_text())
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    print_evaluation(found, opened, "b.tif", "-")
    assert json.loads(capsys.readouterr().out) == said
    with pytest.raises(InputError, match="cannot be written"):
        print_evaluation(found, opened, "b.tif", str(tmp_path / "nowhere" / "a.json"))


def test_an_area_is_four_numbers_inside_the_grid(tmp_path: Path) -> None:
    _, opened = judged(tmp_path)
    assert area_of("10, 20,140,150", opened.grid) == Window(row=10, col=20, height=140, width=150)
    assert area_of(None, opened.grid) is None
    for bad in ("10,20,141,150", "1,2,3", "1,2,3,4,5", "a,2,3,4", "1,2,0,4", "-1,0,3,4"):
        with pytest.raises(InputError, match="is no part of 150 × 170 px"):
            area_of(bad, opened.grid)
