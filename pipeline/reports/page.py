"""The page of a run: what the store beside it holds, and what its report says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ruamel.yaml import YAML

from pipeline.errors import ConfigError, StoreError
from pipeline.exports.mark import Mark, delete_own, is_foreign
from pipeline.exports.places import default_place, fallback_place
from pipeline.exports.scale_bar import scale_bar
from pipeline.exports.task import main_layer
from pipeline.locations import Place
from pipeline.privacy.concealed import safe_document
from pipeline.reports import pictures, rows
from pipeline.reports.classes import ClassAreas, Histogram, class_areas, confidence_histogram
from pipeline.reports.render import render_page
from pipeline.store.files import files_at
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.picture import SourcePicture, open_picture
from pipeline.store.respec import read_spec
from pipeline.store.spec import StoreSpec

_Part = TypeVar("_Part")
ENDING = ".report.html"
MAX_FAILURES = 50
"""Failed blocks that are listed."""


def is_wanted(meta: Mapping[str, Any]) -> bool:
    """Whether the config of a store wants a page; stores of before say nothing, and have one."""
    return bool(meta["config"]["output"].get("report", True))


def page_place(store: Place) -> Place:
    """Where the page of a store is, or will be: never in the place of a foreign file.

    Raises
    ------
    ConfigError
        Foreign files have both places.
    """
    for place in (first := default_place(store, ENDING), fallback_place(store, ENDING)):
        if not is_foreign(place, store.name):
            return place
    raise ConfigError(
        f"{first} and {place} exist, were not written for {store.name}, and were left as they are. Move one of them "
        f"away, or set output.report: false."
    )


def delete_page(store: Place) -> None:
    """Delete the page of a store, wherever it lies beside it."""
    for place in (default_place(store, ENDING), fallback_place(store, ENDING)):
        delete_own(place, store.name)


def write_page(store: Place, parts: PageParts | None = None) -> Place:
    """Write the page of a store from what lies in it, and from the report in JSON beside it.

    A store with failed blocks has a page as well, which names them.

    Parameters
    ----------
    store
        Of which a run has ended.
    parts
        From `read_parts`, where they were read before; by default they are read now.

    Returns
    -------
    Place
        Where it was written.

    Raises
    ------
    ConfigError
        Foreign files have its places.
    StoreError
        The store is damaged.
    """
    meta, spec, place = read_store_meta(store), read_spec(store), page_place(store)
    document = _document(store, meta)
    if parts is None:
        parts = read_parts(store, spec, meta, is_complete(meta, document))
    text = render_page("run.html", **page_context(store, spec, meta, document, parts))
    files_at(place.parent).put(place.name, text.encode())
    return place


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """What a page shows of the pixels of a store. It says nothing of a run."""

    picture: SourcePicture | None
    image: pictures.PagePicture | None
    """The source."""
    area: pictures.PagePicture | None
    """What was asked for."""
    layer: pictures.PagePicture | None
    """The classes, or the first channels."""
    areas: ClassAreas | None
    histogram: Histogram | None
    """Of the confidence."""
    unreadable: list[str]
    """Parts that a damaged chunk costs; the page says so."""


def is_complete(meta: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a store is, and no block of the run that a report is of has failed."""
    return bool(meta.get("complete")) and not document.get("failures")


def read_parts(store: Place, spec: StoreSpec, meta: dict[str, Any], complete: bool) -> PageParts:
    """What a page shows of the pixels of a store.

    Parameters
    ----------
    store, spec, meta
        A store, and what it says of itself.
    complete
        Whether all of its blocks and overviews are there.
    """
    picture, parts = open_picture(store), _Parts()
    image = None if picture is None else parts.read("the picture of the source", pictures.source_picture, picture)
    layer = parts.read(f"the layer {main_layer(spec)}", partial(pictures.layer_picture, complete=complete), store, spec)
    if image is not None and layer is not None:
        layer = pictures.same_size(layer, image)
    return PageParts(
        picture=picture,
        image=image,
        area=parts.read("the picture of the area", pictures.area_picture, meta, picture),
        layer=layer,
        areas=parts.read("the areas of classes", class_areas, store, spec) if complete else None,
        histogram=parts.read("the confidence", confidence_histogram, store, spec),
        unreadable=parts.unreadable,
    )


def page_context(
    store: Place, spec: StoreSpec, meta: dict[str, Any], document: dict[str, Any], parts: PageParts
) -> dict[str, Any]:
    """What the template of a run shows.

    Parameters
    ----------
    store, spec, meta
        A store, and what it says of itself.
    document
        The report of its run, as in JSON.
    parts
        What is shown of its pixels.
    """
    reader, certificate = _Parts(), document.get("certificate")
    seams = reader.read("the worst seams", _seams, store, spec, parts.picture, certificate) or []
    length, bar_text = scale_bar(spec.grid, spec.grid.width)
    return {
        "mark": str(Mark.of_store(store, meta)),
        "name": store.name,
        "kind": "report",
        "complete": is_complete(meta, document),
        "facts": _facts(spec, meta, document),
        "failures": document.get("failures", [])[:MAX_FAILURES],
        "failure_count": len(document.get("failures", [])),
        "blocks": document["blocks"],
        "image": parts.image,
        "image_bands": () if parts.picture is None else parts.picture.names,
        "area": parts.area,
        "requested_text": rows.requested_text(meta, document),
        "layer": parts.layer,
        "layer_name": main_layer(spec),
        "bar": (length / spec.grid.width, bar_text),
        "channels": spec.values.channels[:3] if not spec.classes else (),
        "legend": spec.classes,
        "areas": parts.areas,
        "histogram": parts.histogram,
        "invalid": rows.invalid_rows(document),
        "certificate": certificate,
        "certificate_rows": _certificate_rows(store, certificate),
        "seams": seams,
        "time": rows.time_rows(document),
        "stages": rows.stage_shares(document),
        "memory": rows.memory_bars(document),
        "plan": rows.decision_rows(meta, document),
        "versions": rows.version_rows(meta),
        "config": yaml_text(meta.get("given", meta["config"])),
        "unreadable": [*parts.unreadable, *reader.unreadable],
    }


class _Parts:
    """Parts of a page that are read one by one: a damaged chunk costs the parts that show it, and the page says so."""

    def __init__(self) -> None:
        self.unreadable: list[str] = []

    def read(self, name: str, part: Callable[..., _Part], *args: object) -> _Part | None:
        try:
            return part(*args)
        except (RuntimeError, ValueError, StoreError):  # of decoders, as zarr passes them on
            self.unreadable.append(name)
            return None


def _document(store: Place, meta: dict[str, Any]) -> dict[str, Any]:
    """The report beside a store; where it is gone, or lacks what a report has, as of a run that made nothing."""
    file, (height, width) = store.with_suffix(".report.json"), meta["blocks"]
    nothing = {"blocks": meta.get("asked", height * width), "done": 0, "peak_memory": 0, "projected_memory": 0}
    try:
        document = json.loads(files_at(file.parent).get(file.name) or b"{}")
    except ValueError:
        document = {}
    return {**nothing, **document} if isinstance(document, dict) else nothing


def _facts(spec: StoreSpec, meta: dict[str, Any], document: dict[str, Any]) -> list[rows.Row]:
    grid = spec.grid
    raster = document.get("plan", {}).get("raster", {})
    bands = f", {raster['bands']} bands of {raster['dtype']}" if raster else ""
    return [
        ("raster", f"{grid.height:,} × {grid.width:,} px{bands}"),
        ("CRS", grid.code or ("one without a code" if grid.wkt else "none")),
        ("layers", ", ".join(spec.layers)),
        *([("area", text)] if (text := rows.requested_text(meta, document)) else []),
        ("blocks", f"{document['blocks']:,}, of which this run made {document['done']:,}"),
    ]


def _certificate_rows(store: Place, certificate: dict[str, Any] | None) -> list[rows.Row]:
    if certificate is None:
        return []
    # it needs torch, and a store is finished without
    from pipeline.quality.verify.certificate import certificate_rows

    return certificate_rows(store, certificate)[1:]


def _seams(
    store: Place, spec: StoreSpec, picture: SourcePicture | None, certificate: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Pictures of the worst seams that the certificate looked at: names, and where and how much they differ."""
    if certificate is None or "seams" not in certificate or not spec.classes:
        return []
    from pipeline.quality.verify.seam_examples import read_examples

    return [
        {
            "place": str(example.window),
            "error": f"{example.error / certificate['std']:.1e}",
            "flips": int((example.whole != example.tiled)[example.valid].sum()),
            "pictures": pictures.seam_pictures(example, spec, picture),
        }
        for example in read_examples(store)
    ]


def yaml_text(document: dict[str, Any]) -> str:
    """A config as YAML, without secrets of URLs."""
    buffer, yaml = io.StringIO(), YAML()
    yaml.dump(safe_document(document), buffer)
    return buffer.getvalue()
