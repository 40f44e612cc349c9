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
from pipeline.sources.aoi import open_area
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import StoreLevel, open_store

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area


@dataclass(frozen=True, slots=True, kw_only=True)
class AoiLabels:
    """Labels that know nothing outside an area."""

    labels: Labels
    area: Area

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


def store_area(store: StoreLevel, purpose: str, aoi: str | None = None) -> Area | None:
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
        Its area of interest is gone or changed.
    """
    meta = read_store_meta(store.path)
    recorded = meta.get("fingerprint", {}).get("source.aoi")
    if recorded is None:
        return None
    if aoi is None and stand_ins_in({"aoi": meta["config"]["source"].get("aoi")}):
        raise StoreError(
            f"{store.path} was made within an area of interest, which is needed to {purpose}, and does not say which "
            f"file holds it (output.redact). Give --aoi FILE."
        )
    aoi_config = SourceConfig.model_validate(meta["config"]["source"]).aoi if aoi is None else aoi
    try:
        full_area, area = open_area(aoi_config, open_store(store.path).grid), open_area(aoi_config, store.grid)
    except SourceError as error:
        raise StoreError(
            f"{store.path} was made within an area of interest, which is needed to {purpose}. {error}"
        ) from error
    if full_area is None or area is None or full_area.digest != recorded:
        raise StoreError(
            f"{store.path} was made within an area of interest that has changed since. Put the file back: "
            f"it was {aoi_config}."
        )
    return area
