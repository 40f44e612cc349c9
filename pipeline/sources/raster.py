"""``kind: raster``: anything GDAL opens, local or remote."""

from __future__ import annotations

import os
import threading
import uuid
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, SourceError
from pipeline.plan.memory import GDAL_CACHE
from pipeline.protocols import Pixels
from pipeline.raster.grid import Grid
from pipeline.raster.window import Window
from pipeline.sources import alive
from pipeline.sources.georeference import grid_of
from pipeline.sources.identity import identity_of
from pipeline.sources.mosaic import Mosaic, mosaic_of, parts_of
from pipeline.sources.remote import Settings, around, settings, shown

os.environ["GDAL_CACHEMAX"] = str(GDAL_CACHE)  # bytes; read by GDAL once, before the first pixel
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)  # a raster of ours need not be; each thread's handle would warn


@dataclass(frozen=True, kw_only=True)
class RasterSource:
    """A raster and how it is read. Pickles as this spec; each thread opens a handle of its own on first use."""

    path: str
    indexes: tuple[int, ...]
    """Bands, counted from 1."""
    nodata: Literal["auto"] | float | None
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are, or where any is."""
    scale_tags: bool
    """Whether the file's scale and offset are applied."""
    settings: Settings = ()
    """What GDAL is told around this raster's handles."""
    mosaic: Mosaic = field(default_factory=Mosaic)
    """What is kept open of the files that it is put together from."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False, compare=False)
    """By which its handles are found again where it comes by pickle once more."""
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        alive.enter(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        said = {name: getattr(self, name) for name in ("path", "indexes", "nodata", "rule", "scale_tags", "settings", "mosaic")}
        return alive.revive, (type(self), self.name, said)

    @cached_property
    def grid(self) -> Grid:
        """Size and georeference."""
        return grid_of(self._dataset)

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return len(self.indexes)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the raw pixels; float32 where scale and offset are applied."""
        if self.scale_tags:
            return np.dtype("float32")
        return np.result_type(*(self._dataset.dtypes[i - 1] for i in self.indexes))

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the file's own blocks, px."""
        rows, cols = self._dataset.block_shapes[self.indexes[0] - 1]
        return rows, cols

    @property
    def open_files(self) -> int:
        """Bytes that the files of a mosaic hold while they are open."""
        return self.mosaic.size

    def identity(self) -> dict[str, Any]:
        """Path, files, grid and what is read of them."""
        return {
            **identity_of(self.path, self._dataset.files),
            "grid": self.grid.as_dict(),
            "bands": list(self.indexes),
            "nodata": str(self.nodata),
            "nodata_rule": self.rule,
            "scale_tags": self.scale_tags,
        }

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        Raises
        ------
        ReadError
            GDAL cannot read it.
        """
        inside = window.clip(self.grid.height, self.grid.width)
        if inside == window:
            return self._read(window)
        data = np.zeros((self.bands, window.height, window.width), dtype=self.dtype)
        valid, decoded = np.zeros((window.height, window.width), dtype=bool), 0
        if inside.pixels:
            pixels, where = self._read(inside), inside.within(window)
            data[(slice(None), *where)], valid[where], decoded = pixels.data, pixels.valid, pixels.decoded
        return Pixels(data=data, valid=valid, decoded=decoded)

    def _read(self, window: Window) -> Pixels:
        frame = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            with around(self.settings):
                raw = self._dataset.read(list(self.indexes), window=frame)
                masked = self._masked(frame)
        except (RasterioError, SourceError, OSError, MemoryError) as error:
            self._local.__dict__.clear()  # a handle that failed once may go on failing
            raise ReadError(f"{shown(self.path)} cannot be read at {window}: {_words(error)}") from error
        valid = self._valid(raw)
        if masked is not None:
            valid &= masked
        return Pixels(data=self._scaled(raw), valid=valid, decoded=self._decoded(window))

    def _decoded(self, window: Window) -> int:
        """Pixels of the file's blocks that hold a window."""
        return Window.of(window.rows.align(self.block[0]), window.cols.align(self.block[1])).clip(self.grid.height, self.grid.width).pixels

    def _valid(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Where the bands' nodata and NaNs leave a pixel valid."""
        marked = [band == value if value is not None else None for band, value in zip(raw, self._nodata_values, strict=True)]
        if self.rule == "any":
            invalid = np.zeros(raw.shape[1:], dtype=bool)
            for mark in marked:
                invalid |= False if mark is None else mark
        else:
            invalid = np.full(raw.shape[1:], not any(mark is None for mark in marked))
            for mark in marked:
                invalid &= False if mark is None else mark
        if raw.dtype.kind == "f":
            for band in raw:
                invalid |= ~np.isfinite(band)
        return ~invalid

    @cached_property
    def _nodata_values(self) -> tuple[np.generic | None, ...]:
        """Nodata of each band in its own dtype; None where there is none, or where the dtype cannot hold it."""
        if self.nodata is None:
            return (None,) * self.bands
        values = [self._dataset.nodatavals[i - 1] if self.nodata == "auto" else float(self.nodata) for i in self.indexes]
        dtype = np.result_type(*(self._dataset.dtypes[i - 1] for i in self.indexes))
        return tuple(_representable(value, dtype) for value in values)

    def _masked(self, frame: Any) -> npt.NDArray[np.bool_] | None:
        """The file's mask band or alpha, where it has one and nodata is not switched off."""
        if self.nodata is None:
            return None
        dataset = self._dataset
        if ColorInterp.alpha in dataset.colorinterp:
            alpha = dataset.read(dataset.colorinterp.index(ColorInterp.alpha) + 1, window=frame)
            return np.asarray(alpha > 0)
        if MaskFlags.per_dataset in dataset.mask_flag_enums[self.indexes[0] - 1]:
            return np.asarray(dataset.read_masks(self.indexes[0], window=frame) > 0)
        return None

    def _scaled(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.scale_tags:
            return raw
        scales, offsets = ([np.float32(values[i - 1]) for i in self.indexes] for values in (self._dataset.scales, self._dataset.offsets))
        return np.stack([band.astype(np.float32) * scale + offset for band, scale, offset in zip(raw, scales, offsets, strict=True)])

    @property
    def _dataset(self) -> DatasetReader:
        found: DatasetReader | None = getattr(self._local, "dataset", None)
        if found is None:
            with around(self.settings):
                found = self._local.dataset = _open(self.path)
        return found


def open_source(config: SourceConfig, timeout: float | None = None) -> RasterSource:
    """Open a raster and check its bands.

    Parameters
    ----------
    config
        Which raster, and how it is read.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        It is missing, no raster, has no such band, or is of complex numbers.
    """
    path = _resolve(config.path)
    with around(settings(path, [], timeout)), _open(path) as dataset:
        indexes, parts = _checked(path, dataset, config.bands), parts_of(path, dataset.files)
    said = settings(path, parts, timeout)
    with around(said):
        mosaic = mosaic_of(parts)
    return RasterSource(
        path=path, indexes=indexes, nodata=config.nodata, rule=config.nodata_rule, scale_tags=config.scale_tags,
        settings=(*said, *mosaic.settings), mosaic=mosaic,
    )  # fmt: skip


def _checked(path: str, dataset: DatasetReader, bands: list[int] | None) -> tuple[int, ...]:
    """The bands to read."""
    indexes = tuple(bands or (i for i, kind in enumerate(dataset.colorinterp, 1) if kind is not ColorInterp.alpha)) or (1,)
    missing = [i for i in indexes if i > dataset.count]
    if missing:
        raise SourceError(f"source.bands asks for band {missing[0]}, but {shown(path)} has {dataset.count} bands. Bands count from 1.")
    if any(np.dtype(_plain(dataset.dtypes[i - 1])).kind == "c" for i in indexes):
        raise SourceError(f"{shown(path)} holds complex numbers ({dataset.dtypes[0]}), which no network takes. Give its amplitude or its parts as bands.")
    return indexes


def _plain(dtype: str) -> str:
    return "complex64" if dtype.startswith("complex") else dtype


def _resolve(path: str) -> str:
    if not path.startswith("sample://"):
        return path
    from pipeline.samples import resolve

    return str(resolve(path))


def _open(path: str) -> DatasetReader:
    try:
        dataset: DatasetReader = rasterio.open(path)
    except (RasterioError, OSError) as error:
        missing = "://" not in path and not path.startswith("/vsi") and not os.path.exists(path)
        why = "does not exist" if missing else f"cannot be opened as a raster ({_words(error)})"
        raise SourceError(
            f"source.path is {shown(path)}, which {why}. Give anything GDAL opens: GeoTIFF, COG, VRT, JPEG 2000, PNG, https://…, /vsis3/…."
        ) from error
    if dataset.count == 0:
        inner = f" Name one of its subdatasets: {', '.join(dataset.subdatasets[:3])}." if dataset.subdatasets else ""
        raise SourceError(f"source.path is {shown(path)}, which has no bands of its own.{inner}")
    return dataset


def _representable(value: float | None, dtype: np.dtype[Any]) -> np.generic | None:
    if value is None or np.isnan(value):  # NaN is invalid anyway
        return None
    if dtype.kind in "iu" and (value != int(value) or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max):
        return None
    with np.errstate(over="ignore"):
        return dtype.type(value)  # type: ignore[no-any-return]  # numpy leaves dtype.type open


def _words(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps one cause further down."""
    said = str(error.__cause__ or error).strip()
    return shown(said.splitlines()[-1])[:200] if said else type(error).__name__
