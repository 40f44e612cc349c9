"""Rows of statistics as text."""

from __future__ import annotations

import csv
import io
import json

from pipeline.quality.stats.rows import StatsRow
from pipeline.quality.stats.table import COLUMNS, OBJECT_COLUMNS, format_rows

ROWS = [
    StatsRow(
        scene="a", zone=zone, class_name=name, code=3, pixels=pixels, area=1 / 3, unit="m2", share=share, of="valid",
        objects=1, density=0.25,
    )
    for zone, name, pixels, share in ((None, "wood, old", 12_345, 0.25), ("", "", 0.1 + 0.2, None))
]  # fmt: skip


def test_csv_keeps_all_digits_and_leaves_empty_what_there_is_not() -> None:
    text = format_rows(ROWS, "csv", False)
    assert text.splitlines()[0] == "scene,zone,class,code,pixels,area,unit,share,of"
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["class"], first["pixels"], first["zone"]) == ("wood, old", "12345", "")
    assert (float(second["pixels"]), float(second["area"]), second["share"]) == (0.1 + 0.2, 1 / 3, "")


def test_json_has_the_same_columns() -> None:
    first, second = json.loads(format_rows(ROWS, "json", True))
    assert tuple(first) == COLUMNS + OBJECT_COLUMNS
    assert (first["zone"], first["objects"], second["zone"], second["share"]) == (None, 1, "", None)


def test_the_table_is_aligned_for_people() -> None:
    assert format_rows(ROWS, "table", True).splitlines() == [
        "scene  zone  class      code  pixels  area  unit    share  of     objects  density",
        "a      -     wood, old     3  12,345  0.33  m2    25.00 %  valid        1     0.25",
        "a                          3    0.30  0.33  m2          -  valid        1     0.25",
    ]
