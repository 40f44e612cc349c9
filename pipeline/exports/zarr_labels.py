"""The form ``zarr-labels``: ids of objects as a label image of OME-Zarr inside the store."""

from __future__ import annotations

from pipeline.errors import ConfigError
from pipeline.exports.objects import object_choice
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form, GroupForm
from pipeline.locations import Place
from pipeline.store.instances import INSTANCES_GROUP, is_foreign_label
from pipeline.store.lifecycle import is_mask_store


def _write(task: ExportTask, keep: bool, anew: bool) -> None:
    """A run that exports no objects imports none of this."""
    from pipeline.exports.label_image import write_label_image

    write_label_image(task, keep=keep, anew=anew)


def _check(task: ExportTask) -> None:
    if task.request.out is not None:
        raise ConfigError(
            f"zarr-labels was given the file {task.request.out}, and lies inside its store, as {INSTANCES_GROUP}. "
            f"Leave the file out."
        )
    for option, does in (("simplify", "thins"), ("max_vertices", "cuts")):
        if option in task.request.options:
            raise ConfigError(
                f"--{option.replace('_', '-')} {does} polygons, and zarr-labels has none. Leave it out, or export "
                f"--to gpkg."
            )
    object_choice(task)


def _place(task: ExportTask) -> Place:
    return task.store / INSTANCES_GROUP


def _require_own(task: ExportTask) -> None:
    store = task.store
    if is_mask_store(store) and is_foreign_label(store):
        raise ConfigError(
            f"{store / INSTANCES_GROUP} exists, was not written by an export, and was left as it is. Move it away, "
            f"or export with --overwrite."
        )


ZARR_LABELS = Form(check=_check, group=GroupForm(place=_place, write=_write, require_own=_require_own, is_inside=True))
