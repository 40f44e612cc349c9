"""Rows of statistics as text: a table for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.quality.stats.rows import StatsRow

StatsFormat = Literal["table", "csv", "json"]
COLUMNS = ("scene", "zone", "class", "code", "pixels", "area", "unit", "share", "of")
OBJECT_COLUMNS = ("objects", "density")
TEXTS = ("scene", "zone", "class", "unit", "of")
"""Columns that are aligned on the left."""


def format_rows(rows: Sequence[StatsRow], form: StatsFormat, objects: bool) -> str:
    """Rows as text, without a newline at its end.

    Parameters
    ----------
    rows
        Of one store or of several.
    form
        ``table``, ``csv`` (RFC 4180 with newlines alone; what there is not is empty) or ``json`` (a list of objects;
        what there is not is null). Numbers of the last two keep all digits.
    objects
        Whether the columns of objects are there.
    """
    columns = COLUMNS + (OBJECT_COLUMNS if objects else ())
    records = [dict(zip(columns, _values(row), strict=False)) for row in rows]
    if form == "json":
        return json.dumps(records, indent=2, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue().removesuffix("\n")
    return _table(columns, records)


def _values(row: StatsRow) -> tuple[Any, ...]:
    """In the order of the columns."""
    measured = (row.pixels, row.area, row.unit, row.share, row.of, row.objects, row.density)
    return (row.scene, row.zone, row.class_name, row.code, *measured)


def _table(columns: Sequence[str], records: Sequence[dict[str, Any]]) -> str:
    cells = [list(columns), *([_cell(column, record) for column in columns] for record in records)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if column in TEXTS else cell.rjust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        )
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _cell(column: str, record: Mapping[str, Any]) -> str:
    value = record[column]
    if value is None:
        return "-"
    if column == "share":
        return f"{value:.2%}".replace("%", " %")
    if column == "density":
        return f"{value:.4g}"
    if column == "area" and record["unit"] == "mm2":
        return f"{value:,.4f}"
    if column in ("pixels", "area", "objects"):
        return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    return str(value)
