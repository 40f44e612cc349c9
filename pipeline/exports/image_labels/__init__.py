"""The form ``image-labels``: the mask as a label image in the OME-Zarr of its image."""

from __future__ import annotations

import re

from pipeline.errors import ConfigError
from pipeline.exports.image_labels.target import label_name, label_target, target_place
from pipeline.exports.mark import Mark
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form, GroupForm
from pipeline.store.image_labels import label_exists, written_by
from pipeline.store.layers import CLASS_LAYERS

_NAME = re.compile(r"[A-Za-z0-9][^/\\]*")
_TAKEN = ("zarr.json", "zattrs", "zgroup")


def _write(task: ExportTask, keep: bool, anew: bool) -> None:
    from pipeline.exports.image_labels.writing import write_image_label

    write_image_label(task, keep=keep)


def _check(task: ExportTask) -> None:
    if task.layer not in CLASS_LAYERS:
        raise ConfigError(
            f"The layer {task.layer} of {task.store} has no classes, and a label image has nothing else. Export the "
            f"layer mask, or {task.layer} as ome-tiff."
        )
    name = label_name(task)
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ConfigError(
            f"--name is {name!r}, which cannot name a label image. Give a name that begins with a letter or a digit "
            f"and has no slash."
        )
    label_target(task)


def _require_own(task: ExportTask) -> None:
    image, name = label_target(task).image.place, label_name(task)
    document = written_by(image, name) or {}
    if label_exists(image, name) and not str(document.get("export", "")).startswith(Mark(store=task.store.name).prefix):
        raise ConfigError(
            f"{target_place(task)} exists, was not written for {task.store.name}, and was left as it is. Give another "
            f"--name, or export with --overwrite."
        )


IMAGE_LABELS = Form(
    check=_check,
    group=GroupForm(place=target_place, write=_write, require_own=_require_own, is_inside=False),
)
