"""``wholecloth evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import AreaFile, StorePath, conceal_for_store
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.interfaces import Labels
    from pipeline.locations import Place
    from pipeline.store.reader import StoreLevel
    from pipeline.store.spec import ClassRow


DEFAULT_BOUNDARY = 2
"""Px."""
JUDGED = ("mask", "cleaned", "values")
"""Layers that can be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """Options of the command, as they were given."""

    labels: str
    attribute: str | None
    burn: str | None
    labels_layer: str | None
    ignore: list[str] | None
    values: list[str] | None
    groups: list[str] | None
    boundary: int
    """px"""
    area: str | None
    partial: bool
    as_json: str | None
    png: Path | None
    html: Path | None
    channel: str | None
    aoi: str | None

    @property
    def class_options(self) -> dict[str, Any]:
        """Options that say nothing where numbers are judged, by name; None where one was not given."""
        return {
            "--attribute": self.attribute,
            "--burn": self.burn,
            "--labels-layer": self.labels_layer,
            "--values": self.values,
            "--map": self.groups,
            "--png": self.png,
            "--boundary": self.boundary if self.boundary != DEFAULT_BOUNDARY else None,
        }

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Options that decide what is judged, as rows of a page."""
        given = {
            "--attribute": self.attribute,
            "--burn": self.burn,
            "--labels-layer": self.labels_layer,
            "--ignore": self.ignore,
            "--values": self.values,
            "--map": self.groups,
            "--area": self.area,
            "--channel": self.channel,
        }
        rows = [(name, [value] if isinstance(value, str) else value) for name, value in given.items() if value]
        return [(name, " ".join(values)) for name, values in rows]


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

    request = _Request(
        labels=labels,
        attribute=attribute,
        burn=burn,
        labels_layer=labels_layer,
        ignore=ignore,
        values=values,
        groups=groups,
        boundary=boundary,
        area=area,
        partial=partial,
        as_json=as_json,
        png=png,
        html=html,
        channel=channel,
        aoi=aoi,
    )
    judged = _judged_layer(store, layer)
    conceal_for_store(store, labels, aoi)
    store_level = open_store(store, level, judged)
    if html is not None:
        from pipeline.reports.evaluation import require_evaluation_page

        require_evaluation_page(html, store)
    if judged == "values":
        _require_unset(request.class_options, "is for classes, and numbers are judged")
        _evaluate_numbers(store_level, request)
    else:
        _require_unset({"--channel": channel}, f"is for values, and the layer {judged} is judged")
        _evaluate_classes(store_level, request)


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


def _evaluate_classes(store: StoreLevel, request: _Request) -> None:
    from pipeline.quality.evaluate.class_groups import grouping
    from pipeline.quality.evaluate.evaluate import evaluate as evaluate_mask
    from pipeline.quality.evaluate.evaluate import judged_classes, whole_window
    from pipeline.quality.evaluate.report import area_of, print_evaluation
    from pipeline.quality.evaluate.samples import PairSamples
    from pipeline.quality.labels.class_codes import parse_pairs

    groups = parse_pairs("--map", request.groups, "water=water,*=other") if request.groups else None
    class_grouping = grouping(store.classes, groups, int(store.nodata)) if groups else None
    reference = _open_labels(store, request, class_grouping.label_classes if class_grouping else store.classes)
    mask = store
    if class_grouping:
        reference, mask = class_grouping.labels(reference), class_grouping.mask(store)
    window = area_of(request.area, store.grid) or whole_window(mask)
    samples = None if request.html is None else PairSamples.of_classes(window, len(judged_classes(mask)))
    result = evaluate_mask(
        mask, reference, tolerance=request.boundary, area=window, partial=request.partial, samples=samples
    )
    if request.html is not None and samples is not None:
        from pipeline.reports.evaluation import write_class_page

        write_class_page(request.html, mask, result, samples, request.labels, request.rows)
    print_evaluation(result, mask, request.labels, request.as_json, request.png)


def _open_labels(store: StoreLevel, request: _Request, classes: Sequence[ClassRow]) -> Labels:
    """The labels on the grid of the store, within the area of interest."""
    from pipeline.quality.evaluate.aoi_labels import labels_in_aoi
    from pipeline.quality.labels import open_labels
    from pipeline.quality.labels.class_codes import parse_ignore, parse_values

    reference = open_labels(
        request.labels,
        store.grid,
        classes,
        values=parse_values(request.values),
        ignore=parse_ignore(request.ignore),
        attribute=request.attribute,
        burn=request.burn,
        layer=request.labels_layer,
    )
    return labels_in_aoi(reference, store, request.aoi)


def _evaluate_numbers(store: StoreLevel, request: _Request) -> None:
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
    ignore = parse_ignore(request.ignore)
    reference = open_numbers(request.labels, store.grid, store.values.channels, channel=request.channel, ignore=ignore)
    window, mapped = area_of(request.area, store.grid) or whole_window(store), reference.channels[:MAX_MAPPED_CHANNELS]
    samples = [] if request.html is None else [PairSamples.of_numbers(window) for _ in mapped]
    area = store_area(store, "judge it", request.aoi)
    result = evaluate_numbers(store, reference, window=window, area=area, partial=request.partial, samples=samples)
    if request.html is not None:
        write_number_page(request.html, store, result, samples, request.labels, request.rows)
    print_numbers(result, store, request.labels, request.as_json)
