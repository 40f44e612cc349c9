"""A store that was made within an area of interest is judged there alone: what lies outside was never asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.config import SourceConfig
from pipeline.errors import SourceError, StoreError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE, Labels
from pipeline.privacy.stand_in import stand_ins_in
from pipeline.sources.only import areas_on_grid
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import StoreLevel, open_store

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreArea:
    """What a store was asked for, on the grid of one of its levels."""

    area: RequestedArea
    level: int

    def read(self, window: Window) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel of the level was asked for: whether its middle was. Raises SourceError."""
        return self.area.read(window, 2**self.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class AoiLabels:
    """Labels that know nothing outside an area."""

    labels: Labels
    area: StoreArea

    @property
    def grid(self) -> Grid:
        """The grid of the image."""
        return self.labels.grid

    def read(self, window: Window) -> npt.NDArray[np.uint16]:
        """(rows, cols) class codes; IGNORE outside the area. Raises LabelsError."""
        codes = self.labels.read(window)
        codes[~self.area.read(window)] = IGNORE
        return codes


def labels_in_aoi(labels: Labels, store: StoreLevel, aoi: str | None = None) -> Labels:
    """Labels as far as the store was asked for.

    Parameters
    ----------
    labels
        On the grid of the store.
    store
        One level of it.
    aoi
        As for `store_area`.

    Raises
    ------
    StoreError
        Its area of interest is gone or changed.
    """
    area = store_area(store, "judge it", aoi)
    return labels if area is None else AoiLabels(labels=labels, area=area)


def store_area(store: StoreLevel, purpose: str, aoi: str | None = None) -> StoreArea | None:
    """The area that a store was asked for; None where that is everything.

    Parameters
    ----------
    store
        One level of it.
    purpose
        What the area is needed for, as the message says it.
    aoi
        File of its polygons now, where they lie elsewhere or the store does not say where.

    Raises
    ------
    StoreError
        The polygons or the mask of its area are gone or changed.
    """
    meta = read_store_meta(store.path)
    recorded = {key: meta.get("fingerprint", {}).get(f"source.{key}") for key in ("aoi", "only")}
    if not any(recorded.values()):
        return None
    section = {**meta["config"]["source"], **({} if aoi is None else {"aoi": aoi})}
    hidden = {name: section.get(name) for name in recorded}
    if stand_ins_in(hidden):
        raise StoreError(
            f"{store.path} was made within an area of interest, which is needed to {purpose}, and does not say which "
            f"file holds it (output.redact). Give --aoi FILE, of its polygons."
        )
    source = SourceConfig.model_validate(section)
    try:
        areas = areas_on_grid(source, open_store(store.path).grid, meta.get("tissue"))
    except SourceError as error:
        raise StoreError(
            f"{store.path} was made within an area of interest, which is needed to {purpose}. {error}"
        ) from error
    identity = areas.identity()
    changed = [key for key, digest in recorded.items() if identity[key] != digest]
    if changed or areas.area is None:
        raise StoreError(
            f"{store.path} was made within an area of interest that has changed since. Put the file back: "
            f"it was {getattr(source, changed[0])}."
        )
    return StoreArea(area=areas.area, level=store.level)
