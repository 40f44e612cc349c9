"""Files for other programs beside a store: exports that a config names, a VRT, and a picture of the mask.

A form of export is one file and its row in `KINDS`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.config.families import EXPORT_KINDS
from pipeline.errors import ConfigError
from pipeline.exports import places, quicklook, vrt
from pipeline.exports.geotiff import COG
from pipeline.exports.image_labels import IMAGE_LABELS
from pipeline.exports.mark import is_foreign
from pipeline.exports.ome_tiff import OME_TIFF
from pipeline.exports.png import PNG
from pipeline.exports.stac_item import delete_stac_item, write_stac_item
from pipeline.exports.task import MAIN_LAYERS, ExportRequest, ExportTask, main_layer
from pipeline.exports.vectors.forms import VECTOR_FORMS
from pipeline.exports.write import Form, delete_with_companions, place_of, refuse_foreign, write_export
from pipeline.exports.zarr_labels import ZARR_LABELS
from pipeline.locations import Place, parse_place
from pipeline.runtime.background import start_in_background
from pipeline.store.files import files_at
from pipeline.store.layers import DERIVED_LAYERS, LAYERS
from pipeline.store.spec import StoreSpec

KINDS: dict[str, Form] = {
    "cog": COG,
    "png": PNG,
    "ome-tiff": OME_TIFF,
    **VECTOR_FORMS,
    "zarr-labels": ZARR_LABELS,
    "image-labels": IMAGE_LABELS,
}
"""By their names in ``output.exports`` and ``export --to``."""
EXPORT_KINDS.register(KINDS)


def requests(meta: dict[str, Any]) -> tuple[list[ExportRequest], bool]:
    """What a store's config wants beside it, and whether the user has named it."""
    wanted = meta["config"]["output"].get("exports", "auto")
    if wanted == "auto":
        return [ExportRequest(to="cog")], False
    return [_request(one) for one in wanted], True


def _request(entry: dict[str, Any]) -> ExportRequest:
    return ExportRequest(
        to=entry["to"],
        layer=entry.get("layer"),
        out=parse_place(entry["out"]) if entry.get("out") else None,
        options={"name": entry["name"]} if entry.get("name") else {},
    )


def check_exports(store: Place, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Refuse exports that a config names before anything is computed.

    Raises
    ------
    ConfigError
        The store will have no such layer, a form cannot hold it, or two exports or a foreign file have one place.
    """
    wanted, named = requests(meta)
    taken: set[str] = set()
    for request in wanted if named else ():
        task, form = ExportTask(store, spec, meta, request), KINDS[request.to]
        place = place_of(task, form)
        form.check(task)
        refuse_foreign(task, form, place)
        if str(place) in taken:
            raise ConfigError(f"output.exports writes {place} twice. Give each export its own file (out).")
        taken.add(str(place))


def write_exports(store: Place, spec: StoreSpec, meta: dict[str, Any], unchanged: bool = False) -> dict[str, Place]:
    """Write everything that lies beside a complete store.

    Parameters
    ----------
    store
        Marked complete.
    spec, meta
        Its spec, and what its root says of it.
    unchanged
        No pixel was written since the files that are there were.

    Returns
    -------
    dict
        The files, by what a report calls them.
    """
    wanted, named = requests(meta)
    tasks = [ExportTask(store, spec, meta, request) for request in wanted]
    picture = start_in_background(partial(quicklook.write, store, spec), "quicklook")
    files = {_name(task): _write(task, named, unchanged) for task in tasks}
    rasters = [(task, files[_name(task)]) for task in tasks if task.request.to == "cog" and task.layer in MAIN_LAYERS]
    if not named and main_layer(spec) in DERIVED_LAYERS:
        for task in tasks:
            _delete(store, KINDS[task.request.to], "mask")  # the file of the derived layer stands in its place
    sidecar = vrt.write(store, spec, *(rasters[0] if rasters else ()))
    beside = {"sidecar": sidecar, "quicklook": picture.result(), **files}
    if meta["config"]["output"].get("stac"):
        return {**beside, "stac": write_stac_item(store, spec, meta, beside)}
    delete_stac_item(store)
    return beside


def export_bytes_per_pixel(store: Place, spec: StoreSpec, meta: dict[str, Any]) -> int:
    """Bytes of all rasters that a run exports, per pixel and before they are compressed."""
    tasks = [ExportTask(store, spec, meta, request) for request in requests(meta)[0]]
    return sum(spec.layer(task.layer).bytes_per_pixel for task in tasks if KINDS[task.request.to].has_layer)


def export(task: ExportTask, overwrite: bool = False) -> Place:
    """Write one export of a complete store.

    Parameters
    ----------
    task
        What is written.
    overwrite
        Replace a file that was not written for the store.

    Raises
    ------
    ConfigError
        The store has no such layer, the form cannot hold it, or a foreign file has the place.
    """
    form = KINDS[task.request.to]
    place = place_of(task, form)
    if not overwrite:
        refuse_foreign(task, form, place)
    return write_export(task, form, place, anew=overwrite)


def delete_exports(store: Place) -> None:
    """Delete what lies beside a store and was written for it: a store that is not complete has no exports."""
    delete_stac_item(store)
    for form in (form for form in KINDS.values() if form.group is None):
        for layer in (*LAYERS, *DERIVED_LAYERS) if form.has_layer else (None,):
            _delete(store, form, layer)


def _delete(store: Place, form: Form, layer: str | None) -> None:
    """Delete an export with its companions, wherever it lies beside the store, if it was written for the store."""
    for where in (places.default_place, places.fallback_place):
        place = where(store, form.ending, layer)
        if files_at(place.parent).exists(place.name) and not is_foreign(place, store.name):
            delete_with_companions(place, store.name)


def _name(task: ExportTask) -> str:
    """What a report calls a file: the form, with the layer where that is not the one that the store is made for."""
    return task.request.to if task.request.layer is None else f"{task.request.to} {task.layer}"


def _write(task: ExportTask, named: bool, unchanged: bool) -> Place:
    form = KINDS[task.request.to]
    if named:
        place = place_of(task, form)
        refuse_foreign(task, form, place)
    else:
        place = places.free_place(task.store, form.ending, task.layer if form.has_layer else None)
    return write_export(task, form, place, keep=unchanged)
