"""Forms of export for objects as polygons, and what their options mean."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.exports.objects import object_choice
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form
from pipeline.geometry.window import Window
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import open_store

if TYPE_CHECKING:
    from pipeline.objects.features import FeatureBatch, FeatureFields, FeatureOptions

_PROCESS_BYTES = 230 * 2**20
"""What the process takes before it traces anything."""
_VERTEX_BYTES = 80
"""Of each vertex of the largest polygon while it is traced and written: 64 to 74 measured."""
_SIMPLIFIED_VERTEX_BYTES = 170
"""The same where its arcs are simplified: 160 measured of a polygon of one arc."""
_CUT_VERTEX_BYTES = 580
"""The same where it is cut into pieces: 475 to 495 measured beside its rings."""
_RING_BYTES = 190
"""What a ring takes beside its vertices in GDAL's geometries: 170 to 200 measured."""
_OBJECT_BYTES = 200
"""Of each object while objects are put in order."""

COMPRESSED = (".gz", ".zip")
"""Endings of the names of files that are compressed."""
TEXT_FORMS = ("geojson", "qupath")
"""Forms of text, which compress to a tenth."""

Writer = Callable[["Iterable[FeatureBatch]", Path, "FeatureFields", str], None]


def _write(writer: str, ending: str, task: ExportTask, file: Path) -> None:
    """Write in a folder of its own: drivers go by the ending of a name, and put files of their own beside it."""
    from pipeline.objects.features import find_features
    from pipeline.objects.mask import LayerMask, store_blocks

    scratch, ending = file.with_name(f".{file.name}"), ending + _compression(task)
    level = open_store(task.store)
    try:
        features = find_features(
            store_blocks(level, LayerMask(level=level, layer=task.layer)),
            task.spec.grid,
            task.spec.classes,
            scratch,
            options=feature_options(task),
            confidence_of=partial(_confidence, task) if "confidence" in task.spec.layers else None,
        )
        simplification = features.simplification()
        if simplification is not None and simplification.unchanged_arcs:
            task.say(
                f"{simplification.unchanged_arcs} of {simplification.arcs} arcs stay as they are: "
                f"simplified, they would touch another"
            )
        _writer(writer, task)(
            features.batches(simplification), scratch / f"objects{ending}", features.fields, str(task.mark)
        )
        (scratch / f"objects{ending}").replace(file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def feature_options(task: ExportTask) -> FeatureOptions:
    """Which objects are exported, and how; raises ConfigError or InputError as `object_choice` does."""
    from pipeline.objects.features import FeatureOptions

    choice, memory = object_choice(task), max(task.request.memory - _PROCESS_BYTES, 0)
    simplify = task.request.options.get("simplify")
    max_vertices = task.request.options.get("max_vertices")
    vertex_bytes = _VERTEX_BYTES if simplify is None else _SIMPLIFIED_VERTEX_BYTES
    vertex_bytes = vertex_bytes if max_vertices is None else _CUT_VERTEX_BYTES
    return FeatureOptions(
        connectivity=choice.connectivity,
        codes=choice.codes,
        min_area=choice.min_area,
        simplify=simplify,
        max_vertices=max_vertices,
        vertex_limit=memory // vertex_bytes,
        ring_vertices=_RING_BYTES / vertex_bytes if task.request.to in ("gpkg", "flatgeobuf") else 0.0,
        object_limit=memory // _OBJECT_BYTES,
    )


def _confidence(task: ExportTask, window: Window) -> npt.NDArray[Any]:
    return np.asarray(open_layer(task.store, 0, "confidence")[window.slices])


def _check(task: ExportTask) -> None:
    object_choice(task)
    ending = _compression(task)
    if ending and task.request.to not in TEXT_FORMS:
        raise ConfigError(
            f"{task.request.out} ends in {ending}, and {task.request.to} is compressed by itself. Leave the ending "
            f"out, or export one of {', '.join(TEXT_FORMS)}."
        )
    if "object_type" in task.request.options and task.request.to != "qupath":
        raise ConfigError(f"--object-type is of QuPath's objects, and {task.request.to} has none. Leave it out.")


def _compression(task: ExportTask) -> str:
    """The ending of a file that is compressed, or nothing."""
    ending = "" if task.request.out is None else task.request.out.suffix
    return ending if ending in COMPRESSED else ""


def _check_place(task: ExportTask) -> None:
    from pipeline.exports.vectors.geojson import check_geojson

    _check(task)
    check_geojson(task.spec.grid)


def _writer(name: str, task: ExportTask) -> Writer:
    """A writer by the place of its function; a run that exports no objects imports none of this."""
    module, _, function = name.partition(":")
    writer: Callable[..., None] = getattr(importlib.import_module(f"pipeline.exports.vectors.{module}"), function)
    object_type = task.request.options.get("object_type")
    return writer if object_type is None else partial(writer, object_type=object_type)


def _form(ending: str, writer: str, check: Callable[[ExportTask], None] = _check) -> Form:
    return Form(ending=ending, write=partial(_write, writer, ending), has_layer=False, check=check)


VECTOR_FORMS = {
    "gpkg": _form(".gpkg", "by_ogr:write_geopackage"),
    "geoparquet": _form(".parquet", "geoparquet:write_geoparquet"),
    "flatgeobuf": _form(".fgb", "by_ogr:write_flatgeobuf"),
    "geojson": _form(".geojson", "geojson:write_geojson", _check_place),
    "qupath": _form(".qupath.geojson", "qupath:write_qupath"),
}
"""By their names in ``export --to``."""
