"""``output.stac``: an item of STAC for a store and the files beside it, with the network that made them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.exports import places
from pipeline.exports.mark import Mark, delete_own
from pipeline.exports.stac_footprint import footprint_of
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.files import files_at
from pipeline.store.layers import CLASS_LAYERS
from pipeline.store.spec import StoreSpec

STAC_ENDING = ".stac.json"
STAC_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "processing/v1.2.0", "classification/v2.0.0")
)
MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".png": "image/png",
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".parquet": "application/vnd.apache.parquet",
    ".fgb": "application/vnd.flatgeobuf",
    ".vrt": "application/xml",
}
"""By the ending of a file."""
ROLES = {"quicklook": ["overview"], "sidecar": ["metadata"]}
"""Of files by what a report calls them; all others are data."""
MODEL_KEYS = ("kind", "path", "factory", "arch")
"""Of the config's model: what names the network."""


def write_stac_item(store: Place, spec: StoreSpec, meta: Mapping[str, Any], files: Mapping[str, Place]) -> Place:
    """Write the item of a complete store beside it.

    Parameters
    ----------
    store
        Complete.
    spec, meta
        Its spec, and what its root says of it.
    files
        Those beside it, by what a report calls them.

    Raises
    ------
    ConfigError
        Foreign files have both places that it may take.
    """
    place = places.free_place(store, STAC_ENDING, None)
    document = {
        "wholecloth:mark": str(Mark.of_store(store, dict(meta))),
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(STAC_EXTENSIONS),
        "id": store.stem,
        **footprint_of(spec.grid),
        "properties": {**_times(meta), **_projection(spec.grid), **_processing(meta)},
        "links": [*_links(meta)],
        "assets": {"store": _store_asset(store, spec), **dict(_assets(store, spec, files))},
    }
    files_at(place.parent).put(place.name, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return place


def delete_stac_item(store: Place) -> None:
    """Delete the item of a store, wherever it lies beside it."""
    for where in (places.default_place, places.fallback_place):
        delete_own(where(store, STAC_ENDING), store.name)


def _times(meta: Mapping[str, Any]) -> dict[str, Any]:
    """When the source was taken, by its items; else when this item was written, as STAC wants some time."""
    times = meta["fingerprint"].get("source.times") or []
    if not times:
        return {"datetime": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")}
    if times[0] == times[-1]:
        return {"datetime": times[0]}
    return {"datetime": None, "start_datetime": times[0], "end_datetime": times[-1]}


def _projection(grid: Grid) -> dict[str, Any]:
    crs = (
        {}
        if grid.wkt is None
        else {"proj:code": grid.code}
        if grid.code
        else {"proj:code": None, "proj:wkt2": grid.wkt}
    )
    return {**crs, "proj:shape": [grid.height, grid.width], "proj:transform": [*grid.transform, 0, 0, 1]}


def _processing(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Software and network, as far as plain values name them."""
    config, fingerprint = meta["config"], meta["fingerprint"]
    model = {key: config["model"][key] for key in MODEL_KEYS if isinstance(config["model"].get(key), str)}
    model |= {
        name.removeprefix("model."): value
        for name, value in fingerprint.items()
        if name.startswith("model.") and isinstance(value, str)
    }
    return {
        "processing:software": {name: str(version) for name, version in meta["versions"].items()},
        "processing:lineage": f"Segmented by {model.get('path', 'a network')} of kind {model.get('kind', 'unknown')}.",
        "wholecloth:model": model,
        **({"wholecloth:items": fingerprint["source.items"]} if "source.items" in fingerprint else {}),
    }


def _links(meta: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The item that the store was made of."""
    source = meta["config"]["source"]
    if source.get("kind") == "stac" and isinstance(source["path"], str):
        yield {"rel": "derived_from", "href": source["path"], "type": "application/geo+json"}


def _store_asset(store: Place, spec: StoreSpec) -> dict[str, Any]:
    return {
        "href": f"./{store.name}",
        "type": f"application/vnd.zarr; version={spec.zarr_format}",
        "roles": ["data"],
        **_classes(spec),
    }


def _assets(store: Place, spec: StoreSpec, files: Mapping[str, Place]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, place in files.items():
        of_classes = place.suffix == ".tif" and any(f".{layer}." in place.name for layer in CLASS_LAYERS)
        yield (
            name.replace(" ", "-"),
            {
                "href": f"./{place.name}" if place.parent == store.parent else str(place),
                "type": MEDIA_TYPES.get(place.suffix, "application/octet-stream"),
                "roles": ROLES.get(name, ["data"]),
                **(_classes(spec) if of_classes else {}),
            },
        )


def _classes(spec: StoreSpec) -> dict[str, Any]:
    """Codes, names and colours (https://github.com/stac-extensions/classification)."""
    if not spec.classes:
        return {}
    rows = [
        {"value": row.code, "name": _word(row.name), "title": row.name, "color_hint": row.color.lstrip("#").upper()}
        for row in spec.classes
    ]
    void = {"value": spec.nodata, "name": "nodata", "title": "no data", "nodata": True}
    return {"classification:classes": [*rows, void], "nodata": spec.nodata, "data_type": np.dtype(spec.dtype).name}


def _word(name: str) -> str:
    """A name of the letters that the extension allows."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", name).strip("-") or "class"
