"""Writing an export: beside its place, then into it, so that nobody ever sees a part of it."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pipeline.exports import places
from pipeline.exports.mark import delete_own, is_current, is_foreign
from pipeline.exports.task import ExportTask
from pipeline.locations import Place, Remote
from pipeline.store.files import PARTIAL, files_at
from pipeline.store.lifecycle import remove_partials_beside

STYLE = "qml"
"""A companion that is often the work of a user: it is replaced where it bears the mark of the store alone."""


def _none(task: ExportTask) -> dict[str, bytes]:
    return {}


def _no_file(task: ExportTask, file: Path) -> None:
    """A form that lies inside the store writes no file."""


@dataclass(frozen=True, kw_only=True)
class GroupForm:
    """A form that is a group of Zarr, not a file beside the store."""

    place: Callable[[ExportTask], Place]
    """Of the group."""
    write: Callable[[ExportTask, bool, bool], None]
    """Writes it; told whether one that is current is left unread, and whether all of it is made anew."""
    require_own: Callable[[ExportTask], None]
    """Raises ConfigError where somebody else's group has the place."""
    is_inside: bool
    """Whether it lies in the store, so that its writer holds the lease of the store."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of export."""

    ending: str = ""
    """Of the file's name, with its dot."""
    write: Callable[[ExportTask, Path], None] = _no_file
    """Writes the file on disk; it carries the mark of the task where `is_foreign` looks for it."""
    has_layer: bool = True
    """Whether a file holds one layer, by which it is named."""
    companions: Callable[[ExportTask], dict[str, bytes]] = _none
    """Small files beside it, by what is put behind its name, or in the place of its ending where that has no dot."""
    check: Callable[[ExportTask], None] = lambda task: None
    """Raises ConfigError where the form cannot hold the layer."""
    group: GroupForm | None = None
    """Where the export is a group of Zarr."""


def place_of(task: ExportTask, form: Form) -> Place:
    """Where the export of a task lies, unless it has to step aside."""
    if form.group is not None:
        return form.group.place(task)
    return task.request.out or places.default_place(task.store, form.ending, task.layer if form.has_layer else None)


def refuse_foreign(task: ExportTask, form: Form, place: Place) -> None:
    """Raise ConfigError where something stands in the place of an export that was not written for its store."""
    if form.group is not None:
        form.group.require_own(task)
    else:
        places.require_replaceable(place, task.store)


def write_export(task: ExportTask, form: Form, place: Place, keep: bool = False, anew: bool = False) -> Place:
    """Write one export.

    Parameters
    ----------
    task, form
        What is written.
    place
        Where; what is there is replaced.
    keep
        Leave a file that says of itself all that the task's mark says.
    anew
        Go on with nothing that an earlier export has begun.

    Returns
    -------
    Place
        ``place``.

    Raises
    ------
    ConfigError
        The form cannot hold the layer.
    OSError
        The disk is full, or does not obey.
    """
    form.check(task)
    if form.group is not None:
        form.group.write(task, keep, anew)
        return place
    remove_partials_beside(scratch_place(place))
    if keep and is_current(place, task.mark):
        return place
    files = files_at(place.parent)
    with _scratch_file(place) as scratch:
        form.write(task, scratch)
        for name, content in form.companions(task).items():
            if name != STYLE or not is_foreign(companion(place, name), task.store.name):
                files.put(companion(place, name).name, content)
        files.put_file(place.name, scratch)
    return place


def delete_with_companions(place: Place, store: str) -> None:
    """Delete a file that was written for the store of a name, with what lies beside it."""
    for name in (".aux.xml", "pgw"):
        files_at(place.parent).delete(companion(place, name).name)
    delete_own(companion(place, STYLE), store)
    files_at(place.parent).delete(place.name)


def companion(place: Place, name: str) -> Place:
    """The place of a small file: ``scene.mask.tif.aux.xml`` for ``.aux.xml``, ``scene.mask.qml`` for ``qml``."""
    return place.with_name(f"{place.name}{name}" if name.startswith(".") else f"{place.stem}.{name}")


def scratch_place(place: Place) -> Path:
    """What an export is written beside: its place on disk, or one of that name in the system's temporary folder."""
    if not isinstance(place, Remote):
        return place
    digest = blake2b(str(place).encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"wholecloth-{digest}-{place.name}"


@contextmanager
def _scratch_file(place: Place) -> Iterator[Path]:
    """A file on disk that becomes the export; where a kill leaves it, `remove_partials_beside` finds it."""
    beside = scratch_place(place)
    beside.parent.mkdir(parents=True, exist_ok=True)
    name = f"{beside.name}.{uuid.uuid4().hex}{PARTIAL}"
    if isinstance(place, Remote):
        folder = beside.with_name(f".{name}")
        folder.mkdir(mode=0o700)
        try:
            yield folder / place.name
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    scratch = beside.with_name(name)
    try:
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)
