"""Many pieces read as one raster on one grid."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.geometry.crs import same_grid
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window, bounding_window
from pipeline.interfaces import CAUSES, Pixels, Source
from pipeline.sources.gdal.options import gdal_env, is_remote
from pipeline.sources.mosaics.lattice import Windows
from pipeline.sources.mosaics.look import WITHOUT_LISTING, paths_of
from pipeline.sources.mosaics.named_grid import on_named_grid
from pipeline.sources.mosaics.piece import Piece
from pipeline.sources.mosaics.pool import PiecePool
from pipeline.sources.mosaics.unreadable import UnreadableAsNodata
from pipeline.sources.raster import RasterSource
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.beyond_edges import read_beyond


@dataclass(frozen=True, kw_only=True, eq=False)
class MosaicSource:
    """Pieces on one grid, the winning ones first. Pickles as its spec; pieces open lazily, a bounded number at once."""

    pieces: tuple[Piece, ...]
    owners: npt.NDArray[np.int64]
    """(places,) the piece of each place; a piece has several where it lies on both sides of the antimeridian."""
    places: Windows
    """(places, 4) windows of the grid that pieces may have pixels in, in the order of precedence."""
    grid: Grid
    """Size and georeference."""
    bands: int
    dtype: np.dtype[Any]
    block: tuple[int, int]
    notes: tuple[str, ...]
    rgb: tuple[int, ...]
    open_files: int
    """Bytes that open pieces hold."""
    working_bytes: int
    """Bytes that a read holds beside the pixels that it returns."""
    handles: int
    """Pieces that stay open at most, counted by thread."""
    facts: dict[str, Any]
    """What `identity` says beside the grid."""
    unreadable_as_nodata: bool = False
    timeout: float | None = None
    """``execution.read_timeout``, s."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False)
    """By which its open pieces are found again where it comes by pickle once more."""
    _pool: PiecePool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pool", PiecePool(self.handles))
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        names = [attribute.name for attribute in fields(self) if attribute.init and attribute.name != "name"]
        return process_singleton.get_or_create, (type(self), self.name, {name: getattr(self, name) for name in names})

    def identity(self) -> dict[str, Any]:
        """A digest of all pieces, their number, the grid, and what is read of them."""
        return {**self.facts, "grid": self.grid.as_dict()}

    def first_piece(self) -> Source:
        """The piece that wins, on its own grid, whose tags stand for all."""
        return self.pieces[0].open(self.timeout)

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the grid, and in no piece, is invalid.

        Raises
        ------
        ReadError
            A piece cannot be read, which is named.
        """
        return read_beyond(self, window, self._read)

    def _read(self, window: Window) -> Pixels:
        data = np.zeros((self.bands, window.height, window.width), self.dtype)
        valid, causes, decoded = np.zeros(data.shape[1:], bool), np.zeros(data.shape[1:], np.uint8), 0
        for owner, place in self._touching(window):
            common = place.intersect(window)
            where = bounding_window(~valid[common.index_in(window)], common)
            if where is None:
                continue
            part = self._read_piece(owner, where, place)
            to = where.index_in(window)
            fill = part.valid & ~valid[to]
            data[(slice(None), *to)][:, fill] = part.data[:, fill]
            if part.causes is not None:
                causes[to] = np.where(causes[to] == 0, part.causes, causes[to])
            valid[to] |= fill
            decoded += part.decoded
        causes[valid] = 0
        causes[~valid & (causes == 0)] = CAUSES.index("never written")
        return Pixels(data=data, valid=valid, causes=causes if causes.any() else None, decoded=decoded)

    def _touching(self, window: Window) -> Iterator[tuple[int, Window]]:
        """Piece and place of all that have pixels in a window, the winning ones first."""
        rows, cols, heights, widths = self.places.T
        touching = (rows < window.row + window.height) & (rows + heights > window.row)
        touching &= (cols < window.col + window.width) & (cols + widths > window.col)
        for k in np.flatnonzero(touching):
            row, col, height, width = self.places[k].tolist()
            yield int(self.owners[k]), Window(row=row, col=col, height=height, width=width)

    def _read_piece(self, number: int, window: Window, place: Window) -> Pixels:
        """Pixels of one piece in a window of the grid."""
        with self._pool.piece(number, lambda: self._open(number, place)) as source:
            return source.read(self._in_piece(window, place))

    def _open(self, number: int, place: Window) -> Source:
        """A piece as it is read.

        Raises ReadError, since it could be opened when the mosaic was put together.
        """
        piece = self.pieces[number]
        try:
            source = self._open_piece(piece)
            if not self._fits(source, place):
                raise SourceError("it was written anew since the mosaic was put together; run the command again")
            if self.unreadable_as_nodata and not any(map(is_remote, paths_of(piece))):
                source = UnreadableAsNodata(source=source)
            return self._on_grid(source)
        except SourceError as error:
            raise ReadError(f"{piece.name}, a piece of the mosaic, cannot be opened: {error}") from error

    def _open_piece(self, piece: Piece) -> Source:
        """A piece on its own grid, without a look at all files beside it where these are local."""
        if any(map(is_remote, paths_of(piece))):
            return piece.open(self.timeout)
        with gdal_env(WITHOUT_LISTING):
            source = piece.open(self.timeout)
        return source.with_settings(WITHOUT_LISTING) if isinstance(source, RasterSource) else source

    def _fits(self, source: Source, place: Window) -> bool:
        """Whether a piece is still what it was when the mosaic was put together, as far as arrays show."""
        alike = (source.bands, source.dtype) == (self.bands, self.dtype)
        return alike and (source.grid.height, source.grid.width) == (place.height, place.width)

    def _in_piece(self, window: Window, place: Window) -> Window:
        """A window of the grid as the pixels of a piece count it."""
        return replace(window, row=window.row - place.row, col=window.col - place.col)

    def _on_grid(self, source: Source) -> Source:
        """A piece whose pixels are pixels of the grid."""
        return source


@dataclass(frozen=True, kw_only=True, eq=False)
class MosaicOnGrid(MosaicSource):
    """Pieces of several lattices on a grid that the config names: each is resampled alone."""

    resampling: str

    def identity(self) -> dict[str, Any]:
        """As of pieces on one lattice, with how they are resampled."""
        return {**super().identity(), "warp": {"each": "piece", "resampling": self.resampling}}

    def with_stored_grid(self, stored: Mapping[str, Any]) -> MosaicOnGrid:
        """The same with the grid that a store was made with, where only its last digits differ.

        Parameters
        ----------
        stored
            The fingerprint of a store, or of a frozen plan.
        """
        grid = stored.get("source.grid")
        if not grid or self.grid.as_dict()["crs"] != grid["crs"]:
            return self
        then = replace(self.grid, height=grid["height"], width=grid["width"], transform=tuple(grid["transform"]))
        return replace(self, grid=then) if same_grid(self.grid, then) else self

    def _fits(self, source: Source, place: Window) -> bool:
        return (source.bands, source.dtype) == (self.bands, self.dtype)

    def _in_piece(self, window: Window, place: Window) -> Window:
        return window

    def _on_grid(self, source: Source) -> Source:
        return on_named_grid(source, self.grid, self.resampling)
