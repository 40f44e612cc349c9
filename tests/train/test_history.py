import csv
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.train.history import Row, draw_curves, write_csv

NAN = float("nan")
ROWS = [
    Row(round=1, step=10, loss=0.9, rate=0.1, mean_iou=0.3, accuracy=0.5, iou={"sea": 0.3, "ice": NAN}),
    Row(round=2, step=20, loss=0.5, rate=0.0, mean_iou=0.45, accuracy=0.6, iou={"sea": 0.5, "ice": 0.4}),
]


def test_the_table_has_a_line_for_every_round(tmp_path: Path) -> None:
    lines = list(csv.DictReader(write_csv(ROWS, tmp_path / "c.csv").open()))
    assert [line["step"] for line in lines] == ["10", "20"]
    assert [line["iou ice"] for line in lines] == ["nan", "0.4"]
    assert lines[1]["mean_iou"] == "0.45"


def test_the_picture_shows_each_class_in_its_colour(tmp_path: Path) -> None:
    shown = np.asarray(
        Image.open(draw_curves(ROWS, {"sea": "#2b83ba", "ice": "#c7433e"}, tmp_path / "c.png")).convert("RGB")
    ).reshape(-1, 3)
    for color in ((0x2B, 0x83, 0xBA), (0xC7, 0x43, 0x3E)):
        assert (np.abs(shown.astype(int) - color).max(1) < 8).any()


def test_one_round_is_enough_for_a_picture(tmp_path: Path) -> None:
    assert draw_curves(ROWS[:1], {"sea": "#2b83ba", "ice": "#c7433e"}, tmp_path / "c.png").stat().st_size > 1000
