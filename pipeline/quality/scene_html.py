"""A store as HTML, for notebooks. Names come from files of others, so that every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from pipeline.geometry.grid import Grid
from pipeline.quality.scene_summary import SceneSummary
from pipeline.quality.stats.rows import StatsRow
from pipeline.redact import redacted

MAX_CLASSES = 40
"""Classes in the table, at the most."""
UNITS = {"m2": ((1e6, "km²"), (1.0, "m²")), "um2": ((1e6, "mm²"), (1.0, "µm²"))}
"""Per unit of areas the units that are shown, the largest first."""


def scene_html(summary: SceneSummary) -> str:
    """A picture, facts and a table of classes."""
    picture = (
        f'<img src="data:image/png;base64,{summary.picture}" alt="classes" '
        'style="max-width: 384px; min-width: 192px; image-rendering: pixelated">'
        if summary.picture
        else ""
    )
    facts = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in scene_facts(summary))
    return (
        '<div style="display: flex; gap: 1.5em; flex-wrap: wrap; align-items: flex-start">'
        f"{picture}<table>{facts}</table>{_class_table(summary)}</div>"
    )


def scene_facts(summary: SceneSummary) -> list[tuple[str, str]]:
    """Names of facts and their texts."""
    level = summary.level
    state = "complete" if summary.is_complete else f"not complete: {summary.committed} of {level.blocks} blocks"
    is_uncounted = summary.is_complete and level.classes and not summary.rows
    return [
        ("store", redacted(str(level.path))),
        ("state", state),
        ("size", f"{level.height} × {level.width} px"),
        ("CRS", _crs(level.grid)),
        ("layers", ", ".join(summary.layers)),
        *([("classes", f"{len(level.classes)}; no overview is small enough to show")] if is_uncounted else []),
    ]


def _crs(grid: Grid) -> str:
    """Its code; without one, its name."""
    name = re.search(r'"([^"]+)"', grid.wkt or "")
    return grid.code or (name[1] if name else "none")


def _class_table(summary: SceneSummary) -> str:
    if not summary.rows:
        return ""
    caption = (
        f"approximate: counted in overview {summary.counted_level}"
        if summary.counted_level
        else "all pixels of the scene"
    )
    lines = "".join(_class_lines(summary))
    return f"<table><caption>{escape(caption)}; areas {summary.area_method}</caption>{lines}</table>"


def _class_lines(summary: SceneSummary) -> Iterator[str]:
    yield "<tr><th></th><th>class</th><th>pixels</th><th>area</th><th>share</th></tr>"
    colors = {row.code: "#{:02x}{:02x}{:02x}".format(*row.rgb) for row in summary.level.classes}
    scale = 4**summary.counted_level
    for row in summary.rows[:MAX_CLASSES]:
        swatch = f'<span style="background: {colors[row.code]}; padding: 0 0.7em; border: 1px solid"></span>'
        cells = (escape(row.class_name), f"{row.pixels * scale:,}", _area(row), _share(row))
        yield f"<tr><td>{swatch}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    if len(summary.rows) > MAX_CLASSES:
        yield f"<tr><td></td><td>and {len(summary.rows) - MAX_CLASSES} more</td></tr>"


def _area(row: StatsRow) -> str:
    if row.unit not in UNITS:
        return ""
    size, unit = next((step for step in UNITS[row.unit] if row.area >= step[0]), UNITS[row.unit][-1])
    return f"{row.area / size:,.2f} {unit}" if size > 1 else f"{row.area:,.0f} {unit}"


def _share(row: StatsRow) -> str:
    return "" if row.share is None else f"{row.share:.1%}".replace("%", " %")
