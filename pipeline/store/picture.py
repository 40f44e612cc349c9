"""The reduced picture of the source that a store keeps: what its network read, where the source is far or gone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreError
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.store.files import files_at
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import main_layer_of, open_layer, read_store_meta
from pipeline.store.picture_spec import COLOUR_RANGE, PictureSpec, picture_layer, shows_colours

PERCENTILES = (2.0, 98.0)
"""What is drawn black and what brightest, percent of the valid pixels of a band."""
STRETCH_PX = 2**20
"""Pixels of a band from which that is taken, about."""


@dataclass(frozen=True, kw_only=True)
class SourcePicture:
    """A picture that is read by windows. Safe from many threads."""

    store: Place
    spec: PictureSpec
    height: int
    """Rows, px of the picture."""
    width: int
    """Columns, px of the picture."""
    block: int | None = None
    """Side of a block, px of the picture, where only some blocks were asked for: of a large raster perhaps a few."""
    as_seen: bool = False
    """Whether its numbers are colours as a microscope shows them, which a stretch of each band would change."""

    @property
    def scale(self) -> int:
        """Side of the square of the raster that a pixel stands for, px."""
        return self.spec.scale

    @property
    def names(self) -> tuple[str, ...]:
        """What its bands are called."""
        return self.spec.names

    def read(self, window: Window, step: int = 1) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Every step-th pixel of a window of it, which may reach beyond it.

        Returns
        -------
        tuple
            (bands, rows, cols) float32 in the units of the source, 0 where invalid; and (rows, cols) whether a pixel is
            valid.

        Raises
        ------
        StoreError
            A part of it cannot be read.
        """
        return self._read(window, step)

    def overview(self, max_side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], int]:
        """All of it, at every n-th pixel, so that its longest side is no longer than so many px.

        Returns
        -------
        tuple
            As of `read`, and the side of the square of the raster at whose corner each pixel lies, px.
        """
        step = max(1, -(-max(self.height, self.width) // max_side))
        values, valid = self._read(Window(row=0, col=0, height=self.height, width=self.width), step)
        return values, valid, step * self.scale

    @cached_property
    def stretch(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each band, in the units of the source: computed once, for the whole picture."""
        if self.as_seen:
            return (COLOUR_RANGE,) * len(self.spec.bands)
        step = max(1, int(np.sqrt(self.height * self.width / STRETCH_PX)))
        values, valid = self._read(Window(row=0, col=0, height=self.height, width=self.width), step)
        return tuple(percentile_range(band[valid]) for band in values)

    def _read(self, window: Window, step: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Every step-th pixel of a window, by rows of chunks, so that no more is held than is returned."""
        shape = -(-window.height // step), -(-window.width // step)
        values, valid = np.zeros((len(self.spec.bands), *shape), np.float32), np.zeros(shape, bool)
        inside = window.clip(self.height, self.width)
        side = self.spec.chunk
        for top in range(inside.row // side * side, inside.row + inside.height, side) if inside.pixels else ():
            strip = Window(row=top, col=inside.col, height=side, width=inside.width)
            rows, cols = strip.clip(inside.row + inside.height, self.width).slices
            rows = slice(max(rows.start, inside.row), rows.stop)
            for part in self._written(top, cols):
                first_row, first_col = -(rows.start - window.row) % step, -(part.start - window.col) % step
                planes = self._planes(rows, part)[:, first_row::step, first_col::step]
                row, col = -(-(rows.start - window.row) // step), -(-(part.start - window.col) // step)
                where = slice(row, row + planes.shape[1]), slice(col, col + planes.shape[2])
                values[(slice(None), *where)], valid[where] = planes[:-1], planes[-1] > 0
        return values, valid

    def _written(self, row: int, cols: slice) -> list[slice]:
        """Columns, px, of blocks that are there in the block row of a row; all where every block was asked for."""
        if self.block is None:
            return [cols]
        committed = sorted(col for _, col in Ledger(self.store).committed_in(row // self.block))
        spans = (slice(max(col * self.block, cols.start), min((col + 1) * self.block, cols.stop)) for col in committed)
        return [span for span in spans if span.start < span.stop]

    def _planes(self, rows: slice, cols: slice) -> npt.NDArray[Any]:
        layer = picture_layer(main_layer_of(self.store))
        try:
            return np.asarray(open_layer(self.store, 0, layer)[:, rows, cols])
        except (OSError, RuntimeError, ValueError) as error:
            raise StoreError(
                f"the picture of the source in {self.store} cannot be read ({error}). The layers of the store are not "
                f"concerned; put the folder 0/{layer} back from a copy, or delete it."
            ) from error


def open_picture(store: Place) -> SourcePicture | None:
    """The picture of a store; None where it keeps none.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta = read_store_meta(store)
    spec = stored_picture(store, meta)
    if spec is None:
        return None
    _, height, width = open_layer(store, 0, picture_layer(main_layer_of(store))).shape
    unit = meta.get("fingerprint", {}).get("source.grid", {}).get("unit", "")
    as_seen = shows_colours(unit, spec.dtype, len(spec.bands))
    block = meta["tiles"]["block"] // spec.scale if "asked" in meta else None
    return SourcePicture(store=store, spec=spec, height=height, width=width, block=block, as_seen=as_seen)


def stored_picture(store: Place, meta: dict[str, Any]) -> PictureSpec | None:
    """What the picture of a store is, by its root; None where it keeps none, or where somebody has deleted it.

    Parameters
    ----------
    store
        A store that is there.
    meta
        What its root says.
    """
    folder = f"0/{picture_layer(main_layer_of(store))}"
    is_there = any(files_at(store).exists(f"{folder}/{name}") for name in ("zarr.json", ".zarray"))
    return PictureSpec.of(meta["picture"]) if "picture" in meta and is_there else None


def percentile_range(numbers: npt.NDArray[np.floating[Any]]) -> tuple[float, float]:
    """What is drawn black and what brightest of some numbers; 0 and 0 where there are none."""
    if not numbers.size:
        return 0.0, 0.0
    low, high = np.percentile(numbers, PERCENTILES)
    return float(low), float(high)
