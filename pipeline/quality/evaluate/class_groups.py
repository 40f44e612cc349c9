"""Classes of a mask taken together, since labels tell fewer of them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.errors import LabelsError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE, Labels
from pipeline.quality.labels.class_codes import class_code
from pipeline.store.reader import StoreLevel
from pipeline.store.spec import ClassRow, Role

WILDCARD = "*"
"""All classes that are not named."""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Which classes count as one."""

    judged: tuple[ClassRow, ...]
    """One of each group, and classes of role ``ignore``."""
    label_classes: tuple[ClassRow, ...]
    """What labels may name: the classes of the mask and those of the groups."""
    table: npt.NDArray[np.uint16]
    """(65536,) code → code of its group."""

    def mask(self, store: StoreLevel) -> StoreLevel:
        """A store that is read as groups."""
        return replace(store, classes=self.judged, table=self.table)

    def labels(self, labels: Labels) -> Labels:
        """Labels of `known` that are read as groups."""
        return GroupedLabels(labels=labels, table=self.table)


@dataclass(frozen=True, kw_only=True)
class GroupedLabels:
    """Labels whose classes are taken together."""

    labels: Labels
    table: npt.NDArray[np.uint16]

    @property
    def grid(self) -> Grid:
        """The grid of the image."""
        return self.labels.grid

    def read(self, window: Window) -> npt.NDArray[np.uint16]:
        """(rows, cols) codes of groups. Raises LabelsError."""
        return np.asarray(self.table[self.labels.read(window)])


def grouping(classes: Sequence[ClassRow], pairs: Mapping[str, str], nodata: int) -> Grouping:
    """What ``water=water,*=other`` makes of the classes of a mask.

    Parameters
    ----------
    classes
        Of the mask.
    pairs
        Name or code of a class of the mask, or ``*`` for all others → name of its group.
    nodata
        Of the mask, which is the code of no group.

    Raises
    ------
    LabelsError
        A class is not there, or belongs to no group.
    """
    groups = {class_code("of --map", classes, name): group for name, group in pairs.items() if name != WILDCARD}
    mapped = [row for row in classes if row.role != "ignore" or row.code in groups]
    groups = {row.code: groups.get(row.code, pairs.get(WILDCARD, "")) for row in mapped}
    if unmapped := [row.name for row in mapped if not groups[row.code]]:
        raise LabelsError(
            f"--map says nothing of {', '.join(unmapped)}. Add {unmapped[0]}=CLASS, or {WILDCARD}=CLASS for "
            f"all that are not named."
        )
    rows = _rows(classes, mapped, groups, nodata)
    table = np.arange(IGNORE + 1, dtype=np.uint16)
    for row in mapped:
        table[row.code] = rows[groups[row.code]].code
    return Grouping(
        judged=(*rows.values(), *(row for row in classes if row.role == "ignore" and row.code not in groups)),
        label_classes=(*classes, *(row for row in rows.values() if row.name not in {other.name for other in classes})),
        table=table,
    )


def _rows(
    classes: Sequence[ClassRow], mapped: Sequence[ClassRow], groups: Mapping[int, str], nodata: int
) -> dict[str, ClassRow]:
    """A class of each group: the one of its name, else one with a code that is free.

    Background where one of its classes is.
    """
    by_name, reserved = {row.name: row for row in classes}, {nodata, *(row.code for row in classes)}
    free = (code for code in range(IGNORE) if code not in reserved)
    rows = {}
    for name in dict.fromkeys(groups[row.code] for row in mapped):
        inside = [row for row in mapped if groups[row.code] == name]
        code = by_name[name].code if name in by_name else next(free)
        role: Role | None = "background" if any(row.role == "background" for row in inside) else None
        rows[name] = ClassRow(code=code, name=name, color=inside[0].color, role=role)
    return rows
