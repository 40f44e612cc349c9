"""What the options of an export mean for the objects of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import ConfigError
from pipeline.exports.task import ExportTask
from pipeline.store.layers import CLASS_LAYERS

if TYPE_CHECKING:
    from pipeline.objects.choice import ObjectChoice


def object_choice(task: ExportTask) -> ObjectChoice:
    """Which objects are exported; raises ConfigError or InputError where there is no such layer, class or size."""
    from pipeline.objects.choice import ObjectChoice
    from pipeline.objects.sizes import ObjectSize

    if task.layer not in CLASS_LAYERS:
        raise ConfigError(
            f"The layer {task.layer} of {task.store} has no classes, so that there are no objects in it. "
            f"Export the layer mask, or {task.layer} as cog."
        )
    options = task.request.options
    size = options.get("min_area")
    return ObjectChoice(
        connectivity=options.get("connectivity", 4),
        codes=_codes(task, options.get("classes")),
        min_area=None if size is None else ObjectSize.parse(size),
    )


def _codes(task: ExportTask, names: list[str] | None) -> tuple[int, ...]:
    """Codes of classes by their names; empty where none is named."""
    by_name = {row.name: row.code for row in task.spec.classes}
    absent = [name for name in names or () if name not in by_name]
    if absent:
        raise ConfigError(
            f"--classes names {absent[0]}, which is no class of {task.store}. It has {', '.join(by_name)}: "
            f"name some of these."
        )
    return tuple(by_name[name] for name in names or ())
