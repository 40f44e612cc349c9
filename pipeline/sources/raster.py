"""``kind: raster``: anything GDAL opens, local or remote."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, SourceError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES, Pixels
from pipeline.privacy.concealed import conceal_opened
from pipeline.runtime.resources import GDAL_CACHE
from pipeline.sources.gdal.access import FileAccess, look_at_file
from pipeline.sources.gdal.colours import AS_STORED, Picture, picture_of, rgb_of
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.georeference import georeference_of
from pipeline.sources.gdal.handles import SHARED_FROM_BYTES, Handle, Handles, tile_table_bytes
from pipeline.sources.gdal.notes import news_of, notes_of
from pipeline.sources.gdal.opening import bands_of, last_line, without_sample
from pipeline.sources.gdal.options import Settings, gdal_env, gdal_options, mask_urls
from pipeline.sources.gdal.pixel_size import given_size
from pipeline.sources.gdal.scale_tags import with_scale_tags
from pipeline.sources.gdal.vrt_files import Mosaic, mosaic_of, parts_of
from pipeline.sources.validity.validity import Validity
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.beyond_edges import read_beyond

os.environ["GDAL_CACHEMAX"] = str(GDAL_CACHE)  # bytes; read by GDAL once, before the first pixel
# a raster of ours need not be; each thread's handle would warn
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

READ_FAULTS = (RasterioError, SourceError, OSError, MemoryError)
"""What a read may raise."""
Frame = tuple[Sequence[npt.NDArray[Any]], npt.NDArray[np.uint8] | None, npt.NDArray[Any] | None]


@dataclass(frozen=True, kw_only=True)
class RasterSource:
    """A raster and how it is read. Pickles as this spec; each thread opens a handle of its own on first use."""

    path: str
    indexes: tuple[int, ...]
    """Bands, counted from 1."""
    nodata: Literal["auto"] | int | float | None
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are, or where any is."""
    scale_tags: bool
    """Whether the file's scale and offset are applied."""
    grid: Grid
    """Size and georeference."""
    picture: Picture = AS_STORED
    """How its numbers become those that are read."""
    notes: tuple[str, ...] = ()
    """What a person must know of how it is read."""
    rgb: tuple[int, ...] = ()
    """Which of the bands read, from 0, are red, green and blue; empty where the file does not say."""
    news: tuple[str, ...] = ()
    """How that differs from what stores of earlier releases were made of."""
    settings: Settings = ()
    """What GDAL is told around this raster's handles."""
    mosaic: Mosaic = field(default_factory=Mosaic)
    """What is kept open of the files that it is put together from."""
    access: FileAccess | None = None
    """How a file is opened that a catalogue names; None where the path says it all."""
    shared: Handles | None = field(default=None, repr=False, compare=False)
    """Handles that it has in common with sources of other bands of the file; None where it has its own."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False, compare=False)
    """By which its handles are found again where it comes by pickle once more."""
    _unshared: Handles = field(default_factory=Handles, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        spec = {
            attribute.name: getattr(self, attribute.name)
            for attribute in fields(self)
            if attribute.name not in ("name", "_unshared")
        }
        return process_singleton.get_or_create, (type(self), self.name, spec)

    def with_settings(self, more: Settings) -> RasterSource:
        """The same, with more that GDAL is told around its handles."""
        return replace(self, settings=(*self.settings, *more), name=uuid.uuid4().hex)

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return self.picture.channels or len(self.indexes)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The smallest dtype that holds the raw pixels of all bands; float32 where scale and offset are applied."""
        return self.dtype_of(self.dataset)

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the file's own blocks, px."""
        rows, cols = self.dataset.block_shapes[self.indexes[0] - 1]
        return rows, cols

    @property
    def bands_in_file(self) -> int:
        """Number of bands of the file, those included that are not read."""
        return int(self.dataset.count)

    @property
    def open_files(self) -> int:
        """Bytes that the files of a mosaic hold while they are open, or the table of very many tiles of one file."""
        table = tile_table_bytes(self.dataset)
        return self.mosaic.size + (table if table >= SHARED_FROM_BYTES else 0)

    @property
    def working_bytes(self) -> int:
        """0: pixels are returned as they are read."""
        return 0

    def dtype_of(self, dataset: DatasetReader) -> np.dtype[Any]:
        """Dtype of the raw pixels, by a handle that is open."""
        if self.scale_tags:
            return np.dtype("float32")
        if self.picture.table:
            return np.dtype("uint8")
        return np.result_type(*(dataset.dtypes[i - 1] for i in self.indexes))

    def identity(self) -> dict[str, Any]:
        """Path, files, grid and what is read of them."""
        files = self.dataset.files
        file = identity_of(self.path, files) if self.access is None else self.access.identity(self.path, files)
        return {
            **file,
            "grid": self.grid.as_dict(),
            "bands": list(self.indexes),
            "nodata": str(self.nodata),
            "nodata_rule": self.rule,
            "scale_tags": self.scale_tags,
            "as": list(self.news),
        }

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        Raises
        ------
        ReadError
            GDAL cannot read it.
        """
        return read_beyond(self, window, self._read)

    def _read(self, window: Window) -> Pixels:
        raw, causes, alpha = self._frame(window)
        if self.nodata is not None and (hidden := self.picture.hides(raw[0])) is not None and hidden.any():
            causes = np.zeros(hidden.shape, np.uint8) if causes is None else causes
            causes[hidden & (causes == 0)] = CAUSES.index("alpha")
        valid = np.ones(raw[0].shape, bool) if causes is None else causes == 0
        return Pixels(
            data=self.picture.convert(self._stacked(raw), alpha),
            valid=valid,
            causes=causes,
            decoded=self._decoded(window),
        )

    def _frame(self, window: Window) -> Frame:
        """Raw pixels, codes of the invalid ones, and the alpha of a picture. Raises ReadError."""
        try:
            try:
                return self._read_frame(window)
            except READ_FAULTS:
                if not self._handles.may_succeed_now(self.path, self.access):
                    raise
            return self._read_frame(window)
        except READ_FAULTS as error:
            self._handles.close()
            raise ReadError(f"{mask_urls(self.path)} cannot be read at {window}: {last_line(error)}") from error

    def _read_frame(self, window: Window) -> Frame:
        frame = RasterioWindow(window.col, window.row, window.width, window.height)
        handle = self._handle
        with gdal_env(self.settings), handle.env(), self._handles.reading():
            raw = self._raw(frame)
            causes = self._validity.of(raw, frame)
            alpha = None if self.picture.alpha is None else self.dataset.read(self.picture.alpha, window=frame)
        return raw, causes, alpha

    def _raw(self, frame: Any) -> Sequence[npt.NDArray[Any]]:
        """(rows, cols) of each band as the file has them.

        One array of all where they are of one dtype, which rasterio reads at once.
        """
        dtypes = [self.dataset.dtypes[i - 1] for i in self.indexes]
        if len(set(dtypes)) == 1:
            return self.dataset.read(list(self.indexes), window=frame)  # type: ignore[no-any-return]
        return [self.dataset.read(i, window=frame) for i in self.indexes]

    def _stacked(self, raw: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """(bands, rows, cols) in one dtype, with scale and offset applied where that is asked for."""
        if self.scale_tags:
            return with_scale_tags(raw, self.dataset, self.indexes)
        return raw if isinstance(raw, np.ndarray) else np.stack([band.astype(self.dtype, copy=False) for band in raw])

    def _decoded(self, window: Window) -> int:
        """Pixels of the file's blocks that hold a window."""
        return (
            Window.of(window.rows.align(self.block[0]), window.cols.align(self.block[1]))
            .clip(self.grid.height, self.grid.width)
            .pixels
        )

    @property
    def dataset(self) -> DatasetReader:
        """The handle of this thread."""
        return self._handle.dataset

    @property
    def _handles(self) -> Handles:
        return self._unshared if self.shared is None else self.shared

    @property
    def _handle(self) -> Handle:
        return self._handles.handle_of(self.path, self.settings, self.access)

    @property
    def _validity(self) -> Validity:
        handle = self._handle
        if self.indexes not in handle.validity:
            handle.validity[self.indexes] = Validity(
                dataset=handle.dataset, indexes=self.indexes, nodata=self.nodata, rule=self.rule
            )
        return handle.validity[self.indexes]


def open_source(
    config: SourceConfig,
    timeout: float | None = None,
    access: FileAccess | None = None,
    shared: Handles | None = None,
) -> RasterSource:
    """Open a raster and check its bands.

    Parameters
    ----------
    config
        Which raster, and how it is read.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.
    access
        How a file is opened that a catalogue names.
    shared
        Handles that it has in common with sources of other bands of the file.

    Raises
    ------
    SourceError
        It is missing, no raster, has no such band, is of complex numbers, or of colours that are not known how to show.
    """
    with open_with_handle(config, timeout, access, shared) as (source, _):
        return source


@contextmanager
def open_with_handle(
    config: SourceConfig, timeout: float | None = None, access: FileAccess | None = None, shared: Handles | None = None
) -> Iterator[tuple[RasterSource, DatasetReader]]:
    """A raster, and the handle by which it was looked at, for whoever asks more of it; as `open_source` otherwise."""
    path, bands = without_sample(config.file), config.numbers
    alone = gdal_options(path, [], timeout)
    with gdal_env(alone), look_at_file(path, access) as dataset:
        conceal_opened(dataset.files)
        picture = AS_STORED if config.scale_tags else picture_of(dataset, mask_urls(path), bands)
        indexes = bands_of(path, dataset, bands)
        parts = parts_of(path, dataset.files) if access is None else []
        place = georeference_of(dataset, path, given_size(config.pixel_size))
        # what GDAL is told in this thread already is not named again
        options = (*({**dict(alone), **dict(gdal_options(path, parts, timeout))}).items(), *place.settings)
        with gdal_env(options):
            mosaic = mosaic_of(parts)
        source = RasterSource(
            path=path,
            indexes=indexes,
            nodata=config.nodata,
            rule=config.nodata_rule,
            scale_tags=config.scale_tags,
            settings=(*options, *mosaic.settings),
            mosaic=mosaic,
            grid=place.grid,
            picture=picture,
            notes=(*place.notes, *notes_of(dataset, indexes, config, picture)),
            rgb=rgb_of(dataset, indexes, picture),
            news=tuple(news_of(dataset, indexes, config, picture)),
            access=access,
            shared=shared,
        )
        yield source, dataset
