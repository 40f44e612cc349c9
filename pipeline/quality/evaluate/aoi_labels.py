"""A store that was made within an area of interest is judged there alone: what lies outside was never asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import SourceConfig
from pipeline.errors import SourceError, StoreError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE, Labels
from pipeline.sources.aoi import open_area
from pipeline.sources.aoi.aoi import Area
from pipeline.store.lifecycle import read_meta
from pipeline.store.reader import Opened, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
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


def limited(labels: Labels, store: Opened) -> Labels:
    """Labels as far as the store was asked for.

    Parameters
    ----------
    labels
        On the grid of the store.
    store
        One level of it.

    Raises
    ------
    StoreError
        Its area of interest is gone or changed.
    """
    meta = read_meta(store.path)
    made = meta.get("fingerprint", {}).get("source.aoi")
    if made is None:
        return labels
    said = SourceConfig.model_validate(meta["config"]["source"]).aoi
    try:
        there, area = open_area(said, open_store(store.path).grid), open_area(said, store.grid)
    except SourceError as error:
        raise StoreError(f"{store.path} was made within an area of interest, which is needed to judge it. {error}") from error
    if there is None or area is None or there.digest != made:
        raise StoreError(f"{store.path} was made within an area of interest that has changed since. Put the file back: it was {said}.")
    return Limited(labels=labels, area=area)
