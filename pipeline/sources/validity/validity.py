"""Which pixels of a raster are known.

Nodata, masks, alpha, blocks that were never written, and what float32 cannot say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from pipeline.interfaces import CAUSES
from pipeline.sources.validity import nodata
from pipeline.sources.validity.nodata import Nodata
from pipeline.sources.validity.unwritten_blocks import Unwritten
from pipeline.sources.validity.zarr_holes import holes

Marks = npt.NDArray[np.bool_]
LIMIT = float(np.finfo(np.float32).max)
"""The network sees float32: what reaches its end is no value there.

The largest of all is a nodata that its file forgot to say.
"""
WIDE = ("int64", "uint64")
"""Dtypes whose nodata a float64 cannot hold; GDAL compares them exactly by itself."""


@dataclass(frozen=True, kw_only=True)
class Validity:
    """What an open raster says of its pixels. Belongs to the handle, and so to one thread."""

    dataset: DatasetReader
    indexes: tuple[int, ...]
    """Bands that are read, counted from 1."""
    nodata: Literal["auto"] | int | float | None
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are, or where any is."""

    def of(self, raw: Sequence[npt.NDArray[Any]], frame: Any) -> npt.NDArray[np.uint8] | None:
        """(rows, cols) codes of `CAUSES`; None where all pixels are valid.

        Parameters
        ----------
        raw
            (rows, cols) of each band, in the dtype that the file has.
        frame
            The window that they are of, as rasterio names it.
        """
        causes = None
        for cause, marks in self._marks(raw, frame):
            if marks.any():
                causes = np.zeros(marks.shape, np.uint8) if causes is None else causes
                causes[marks & (causes == 0)] = CAUSES.index(cause)
        return causes

    def _marks(self, raw: Sequence[npt.NDArray[Any]], frame: Any) -> Iterator[tuple[str, Marks]]:
        """What is unknown and why; of several causes the first counts."""
        if self.nodata is not None:
            yield from self._by_rule(raw, frame)
            yield from self._masked(frame)
        for band in raw:
            if band.dtype.kind == "f":
                yield "NaN or infinity", ~np.isfinite(band)
                yield "beyond float32", ~((band > -LIMIT) & (band < LIMIT))

    def _by_rule(self, raw: Sequence[npt.NDArray[Any]], frame: Any) -> Iterator[tuple[str, Marks]]:
        """Where bands are unknown by themselves, in all of them or in any.

        By one cause in all of them, or by several.
        """
        bands = [self._marked(k, band, frame) for k, band in enumerate(raw)]
        for cause in ("never written", "nodata", "mask"):
            yield from self._joined(
                cause, [{name: mark for name, mark in marks.items() if name == cause} for marks in bands]
            )
        if len({name for marks in bands for name in marks}) > 1:
            yield from self._joined("nodata", bands)

    def _joined(self, cause: str, bands: Sequence[dict[str, Marks]]) -> Iterator[tuple[str, Marks]]:
        marked = [np.logical_or.reduce(list(marks.values())) for marks in bands if marks]
        if marked and (self.rule == "any" or len(marked) == len(bands)):
            yield cause, np.asarray((np.logical_or if self.rule == "any" else np.logical_and).reduce(marked))

    def _marked(self, k: int, band: npt.NDArray[Any], frame: Any) -> dict[str, Marks]:
        """Where one band is unknown, by the causes that there are."""
        index, marks = self.indexes[k], {}
        if values := self._values[k]:
            marks["nodata"] = np.asarray(np.logical_or.reduce([value.marks(band) for value in values]))
        if self._asks_gdal(index):
            unmasked = not self.dataset.mask_flag_enums[index - 1]
            marks["mask" if unmasked else "nodata"] = np.asarray(self.dataset.read_masks(index, window=frame) == 0)
        for unwritten in (self._unwritten.marks(index, frame), holes(self.dataset, index, frame)):
            if unwritten is not None:
                marks["never written"] = unwritten
        return marks

    def _asks_gdal(self, index: int) -> bool:
        """Whether GDAL knows better: a mask of the band's own, or a nodata of 64 bits."""
        flags = self.dataset.mask_flag_enums[index - 1]
        return not flags or (
            self.nodata == "auto"
            and self.dataset.dtypes[index - 1] in WIDE
            and MaskFlags.nodata in flags
            and self.dataset.driver != "Zarr"
        )

    @cached_property
    def _values(self) -> tuple[tuple[Nodata, ...], ...]:
        """Nodata of each band in its own dtype."""
        return tuple(
            tuple(
                row
                for value in nodata.declared(self.dataset, i, self.nodata)
                if (row := nodata.nodata_interval(value, np.dtype(self.dataset.dtypes[i - 1])))
            )
            if not (self.nodata == "auto" and self._asks_gdal(i))
            else ()
            for i in self.indexes
        )

    def _masked(self, frame: Any) -> Iterator[tuple[str, Marks]]:
        """Where the raster's mask or alpha hides pixels, where it has one."""
        alpha, flags = alpha_of(self.dataset, self.indexes), self.dataset.mask_flag_enums[self.indexes[0] - 1]
        if alpha is not None:
            yield "alpha", np.asarray(self.dataset.read(alpha, window=frame) == 0)
        elif MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
            yield "mask", np.asarray(self.dataset.read_masks(self.indexes[0], window=frame) == 0)

    @cached_property
    def _unwritten(self) -> Unwritten:
        return Unwritten(dataset=self.dataset)


def alpha_of(dataset: DatasetReader, indexes: Sequence[int]) -> int | None:
    """The band that masks as alpha, counted from 1: one that is asked for is data and masks nothing."""
    kinds = enumerate(dataset.colorinterp, 1)
    return (
        next((index for index, kind in kinds if kind is ColorInterp.alpha), None)
        if not _alpha_is_read(dataset, indexes)
        else None
    )


def _alpha_is_read(dataset: DatasetReader, indexes: Sequence[int]) -> bool:
    return any(dataset.colorinterp[index - 1] is ColorInterp.alpha for index in indexes)
