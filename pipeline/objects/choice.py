"""Which objects of a mask are taken: by their connectivity, class and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.geometry.areas import AreaUnit
from pipeline.objects.columns import Columns
from pipeline.objects.components import Components
from pipeline.objects.labels import Connectivity
from pipeline.objects.sizes import ObjectSize
from pipeline.store.spec import ClassRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChoice:
    """What is an object, and which objects are taken."""

    connectivity: Connectivity = 4
    codes: tuple[int, ...] = ()
    """Classes that are taken; empty for all but those of role background and ignore."""
    min_area: ObjectSize | None = None
    """Smaller objects are left out."""

    def resolved(self, classes: Sequence[ClassRow], unit: AreaUnit) -> Self:
        """The same with its classes named, for a mask of such classes and such areas.

        Raises
        ------
        InputError
            A class or a unit does not suit the mask.
        """
        absent = sorted(set(self.codes) - {row.code for row in classes})
        if absent:
            options = ", ".join(f"{row.code} ({row.name})" for row in classes)
            raise InputError(
                f"The mask has no class {absent[0]}, which was asked for. It has {options}: name some of these."
            )
        if self.min_area is not None:
            self.min_area.check(unit)
        taken = (row.code for row in classes if row.role not in ("background", "ignore"))
        return replace(self, codes=self.codes or tuple(taken))

    def picks(self, rows: Columns, components: Components) -> npt.NDArray[np.bool_]:
        """Which rows of a table of components are taken, once the choice is resolved."""
        chosen = np.isin(rows["code"], self.codes)
        if self.min_area is None:
            return chosen
        areas = components.areas(rows) if self.min_area.unit != "px" else rows["pixels"].astype(np.float64)
        return np.asarray(chosen & self.min_area.reached(rows, areas))
