"""``wholecloth evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import StorePath


def evaluate(
    store: StorePath,
    labels: Annotated[
        str, typer.Option("--labels", metavar="FILE", help="Raster of class codes, polygons, or sample://NAME.")
    ],
    attribute: Annotated[str | None, typer.Option(help="Field of the polygons that holds the class.")] = None,
    burn: Annotated[str | None, typer.Option(metavar="CLASS", help="Class that all polygons mean.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer, of a file that has several.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Value of the labels that says nothing; may be repeated.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE=CLASS,…", help="What each value of the labels means; may be repeated."),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="CLASS=GROUP,…", help="Judge classes of the mask as one: water=water,*=other."),
    ] = None,
    level: Annotated[int, typer.Option(min=0, help="0 is the full resolution.")] = 0,
    boundary: Annotated[
        int, typer.Option(metavar="PX", help="Distance at which boundaries still match, 0 to 256.")
    ] = 2,
    area: Annotated[
        str | None, typer.Option(metavar="ROW,COL,HEIGHT,WIDTH", help="Judge a part only, px of the level.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Judge the committed blocks of a store that is unfinished.")
    ] = False,
    as_json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write all numbers; - for stdout.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the confusion matrix and the classes.")] = None,
) -> None:
    """Compare the mask of a store with labels."""
    from pipeline.quality.evaluate.aoi_labels import labels_in_aoi
    from pipeline.quality.evaluate.class_groups import grouping
    from pipeline.quality.evaluate.evaluate import evaluate as judge
    from pipeline.quality.evaluate.report import area_of, print_evaluation
    from pipeline.quality.labels import open_labels
    from pipeline.quality.labels.class_codes import parse_ignore, parse_pairs, parse_values
    from pipeline.store.reader import open_store

    store_level = open_store(store, level)
    class_grouping = (
        grouping(store_level.classes, parse_pairs("--map", groups, "water=water,*=other"), int(store_level.nodata))
        if groups
        else None
    )
    reference = open_labels(
        labels,
        store_level.grid,
        class_grouping.label_classes if class_grouping else store_level.classes,
        values=parse_values(values),
        ignore=parse_ignore(ignore),
        attribute=attribute,
        burn=burn,
        layer=layer,
    )
    reference, mask = labels_in_aoi(reference, store_level), store_level
    if class_grouping:
        reference, mask = class_grouping.labels(reference), class_grouping.mask(store_level)
    result = judge(mask, reference, tolerance=boundary, area=area_of(area, store_level.grid), partial=partial)
    print_evaluation(result, mask, labels, as_json, png)
