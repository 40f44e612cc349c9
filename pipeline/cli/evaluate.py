"""``wholecloth evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import AreaFile, StorePath, conceal_for_store
from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.locations import Place
    from pipeline.store.reader import StoreLevel


DEFAULT_BOUNDARY = 2
"""Px."""
JUDGED = ("mask", "cleaned", "values")
"""Layers that can be judged."""


def evaluate(
    store: StorePath,
    labels: Annotated[
        str, typer.Option("--labels", metavar="FILE", help="Raster of class codes, polygons, or sample://NAME.")
    ],
    attribute: Annotated[str | None, typer.Option(help="Field of the polygons that holds the class.")] = None,
    burn: Annotated[str | None, typer.Option(metavar="CLASS", help="Class that all polygons mean.")] = None,
    labels_layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer of the labels, of a file that has several.")
    ] = None,
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
    ] = DEFAULT_BOUNDARY,
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
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with maps of what is wrong.")
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            "--judge",
            metavar="NAME",
            help="Layer that is judged: mask, cleaned or values; by default the mask, if there is one.",
        ),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="Judge one channel of the values, by labels of one band.")
    ] = None,
    aoi: AreaFile = None,
) -> None:
    """Compare the mask of a store with labels, or its values with numbers."""
    from pipeline.store.reader import open_store

    judged = _judged_layer(store, layer)
    conceal_for_store(store, labels, aoi)
    store_level = open_store(store, level, judged)
    if html is not None:
        from pipeline.reports.evaluation import require_evaluation_page

        require_evaluation_page(html, store)
    given = {
        "--attribute": attribute,
        "--burn": burn,
        "--labels-layer": labels_layer,
        "--ignore": ignore,
        "--values": values,
        "--map": groups,
        "--area": area,
        "--channel": channel,
    }
    if judged == "values":
        unused = {
            "--attribute": attribute,
            "--burn": burn,
            "--labels-layer": labels_layer,
            "--values": values,
            "--map": groups,
            "--png": png,
            "--boundary": boundary if boundary != DEFAULT_BOUNDARY else None,
        }
        _require_unset(unused, "is for classes, and numbers are judged")
        _evaluate_numbers(store_level, labels, channel, ignore, area, aoi, partial, as_json, html, _option_rows(given))
        return
    _require_unset({"--channel": channel}, f"is for values, and the layer {judged} is judged")
    from pipeline.quality.evaluate.aoi_labels import labels_in_aoi
    from pipeline.quality.evaluate.class_groups import grouping
    from pipeline.quality.evaluate.evaluate import evaluate as evaluate_mask
    from pipeline.quality.evaluate.evaluate import judged_classes, whole_window
    from pipeline.quality.evaluate.report import area_of, print_evaluation
    from pipeline.quality.evaluate.samples import PairSamples
    from pipeline.quality.labels import open_labels
    from pipeline.quality.labels.class_codes import parse_ignore, parse_pairs, parse_values

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
        layer=labels_layer,
    )
    reference, mask = labels_in_aoi(reference, store_level, aoi), store_level
    if class_grouping:
        reference, mask = class_grouping.labels(reference), class_grouping.mask(store_level)
    window = area_of(area, store_level.grid) or whole_window(mask)
    samples = None if html is None else PairSamples.of_classes(window, len(judged_classes(mask)))
    result = evaluate_mask(mask, reference, tolerance=boundary, area=window, partial=partial, samples=samples)
    if html is not None and samples is not None:
        from pipeline.reports.evaluation import write_class_page

        write_class_page(html, mask, result, samples, labels, _option_rows(given))
    print_evaluation(result, mask, labels, as_json, png)


def _judged_layer(store: Place, layer: str | None) -> str:
    """The layer that is judged; raises InputError where the store lacks it, or it can be compared with nothing."""
    from pipeline.store.layers import leading_layer
    from pipeline.store.lifecycle import read_store_meta
    from pipeline.store.reader import readable_layers

    layers = readable_layers(read_store_meta(store))
    if layer is None:
        return leading_layer(layers)
    judgeable = [name for name in JUDGED if name in layers]
    if layer not in judgeable:
        raise InputError(
            f"--layer is {layer}, but {store} has no such layer that labels can judge; it has "
            f"{' and '.join(judgeable)}: give one of these. A layer of the file of labels is --labels-layer."
        )
    return layer


def _require_unset(options: dict[str, Any], reason: str) -> None:
    """Raise InputError where an option is given that does not apply."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} {reason}. Leave it out.")


def _option_rows(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Options that decide what is judged, as rows of a page."""
    rows = [(name, [value] if isinstance(value, str) else value) for name, value in given.items() if value]
    return [(name, " ".join(values)) for name, values in rows]


def _evaluate_numbers(
    store: StoreLevel,
    labels: str,
    channel: str | None,
    ignore: list[str] | None,
    area: str | None,
    aoi: str | None,
    partial: bool,
    as_json: str | None,
    html: Path | None,
    options: list[tuple[str, str]],
) -> None:
    from pipeline.quality.evaluate.aoi_labels import store_area
    from pipeline.quality.evaluate.evaluate import whole_window
    from pipeline.quality.evaluate.number_report import print_numbers
    from pipeline.quality.evaluate.numbers import evaluate_numbers
    from pipeline.quality.evaluate.report import area_of
    from pipeline.quality.evaluate.samples import PairSamples
    from pipeline.quality.labels.class_codes import parse_ignore
    from pipeline.quality.labels.numbers import open_numbers
    from pipeline.reports.evaluation import MAX_MAPPED_CHANNELS, write_number_page

    assert store.values is not None, "asked only of a store with values"
    reference = open_numbers(labels, store.grid, store.values.channels, channel=channel, ignore=parse_ignore(ignore))
    window, mapped = area_of(area, store.grid) or whole_window(store), reference.channels[:MAX_MAPPED_CHANNELS]
    samples = [] if html is None else [PairSamples.of_numbers(window) for _ in mapped]
    result = evaluate_numbers(
        store, reference, window=window, area=store_area(store, "judge it", aoi), partial=partial, samples=samples
    )
    if html is not None:
        write_number_page(html, store, result, samples, labels, options)
    print_numbers(result, store, labels, as_json)
