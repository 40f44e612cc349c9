"""One export of a store that is there, by its own word: without source, weights or a network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pipeline.errors import ConfigError, Unfinished
from pipeline.exports import KINDS, export
from pipeline.exports.task import ExportRequest, ExportTask
from pipeline.exports.write import place_of
from pipeline.locations import Place
from pipeline.runtime.disk import check_disk
from pipeline.store import lifecycle as store
from pipeline.store.files.outage import outage_as_unfinished
from pipeline.store.lease.lease import acquire
from pipeline.store.respec import read_spec


def export_store(path: Place, request: ExportRequest, overwrite: bool, say: Callable[[str], None]) -> Place:
    """Write a layer of a complete store as a file.

    Parameters
    ----------
    path
        Of the store.
    request
        What is written.
    overwrite
        Replace a file that was not written for the store.
    say
        Told what is written.

    Returns
    -------
    Place
        Of the file.

    Raises
    ------
    ConfigError
        There is no such form or layer, or a foreign file has the place.
    StoreError
        There is no store of ours, or it is damaged.
    PlanError
        The disk has no room.
    Unfinished
        Blocks of the store are missing, or somebody is at work on a store into which is written.
    """
    if request.to not in KINDS:
        raise ConfigError(f"--to is {request.to}, which is no form of export. Give one of {', '.join(KINDS)}.")
    with outage_as_unfinished(path):
        meta = store.read_store_meta(path, "tiles", "config")
        if not meta.get("complete"):
            raise Unfinished(
                f"{path} is not finished, and a file of a part of it would look whole. Run its job again, or finish "
                f"it (wholecloth finish), then export it."
            )
        task = ExportTask(path, read_spec(path), meta, request, say)
        _check_disk(task)
        say(f"{task.layer} as {request.to}")
        with _lease_of(task):
            return export(task, overwrite)


def _lease_of(task: ExportTask) -> AbstractContextManager[object]:
    """The lease of the store, where the export lies inside of it."""
    group = KINDS[task.request.to].group
    is_inside = group is not None and group.is_inside
    return acquire(task.store, None, f"export --to {task.request.to}", task.say) if is_inside else nullcontext()


def _check_disk(task: ExportTask) -> None:
    """Refuse a raster that cannot fit; the size of polygons is known once they are traced."""
    form = KINDS[task.request.to]
    if form.has_layer:
        pixels = task.part.window.pixels * task.part.layer.bytes_per_pixel
        check_disk(place_of(task, form), 0 if task.part.sparse else pixels)
