"""A scene as files per band, read as one raster on one grid."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.geometry.crs import crs_of
from pipeline.geometry.grid import Grid
from pipeline.geometry.resampling import Axis, Method, resampled, widened
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.redact import redacted
from pipeline.sources.band_files.calibration import Calibration, Radiometry
from pipeline.sources.band_files.files import short
from pipeline.sources.band_files.product import Product
from pipeline.sources.band_files.quality import Quality
from pipeline.sources.band_tags import RGB
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.raster import RasterSource
from pipeline.sources.validity.band_causes import OUTSIDE_BAND, CauseCodes, joined, joined_with, with_unusable
from pipeline.sources.wrappers.beyond_edges import read_beyond

LARGE_TILE = 2048
"""Side of a tile whose reads are priced, px."""
MAX_FILES = 6
"""Files that a note names."""
FILE_KEYS = ("path", "size", "files", "chunks", "etag", "modified")
"""What of a file's identity says which file it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One band of the scene."""

    name: str
    source: RasterSource
    """Its file, of one band."""
    rows: Axis
    """How it lies on the rows of the scene."""
    cols: Axis
    aligned: bool
    """Whether it has the scene's own pixels, which are read as they are."""
    method: Method
    common_name: str = ""
    """Such as red, where the band is one of any optical sensor's."""
    calibration: Calibration | None = None
    """What its numbers stand for, where a product's metadata say so."""

    def read(self, window: Window) -> tuple[npt.NDArray[Any], CauseCodes | None, int]:
        """(rows, cols) of a window inside the scene, codes of its invalid pixels, and how many pixels were decoded."""
        if self.aligned:
            pixels = self.source.read(window)
            return pixels.data[0], with_unusable(pixels.data[0], pixels.causes), pixels.decoded
        rows, cols = self.rows.taps(window.rows, self.method), self.cols.taps(window.cols, self.method)
        outer = Window.of(rows.span, cols.span)
        pixels = self.source.read(outer)
        band, codes = pixels.data[0], with_unusable(pixels.data[0], pixels.causes)
        decoded = round(pixels.decoded / (self.rows.step * self.cols.step))
        if codes is None or not codes.any():
            return resampled(band, rows, cols), self._outside(window, None), decoded
        marks = widened(codes, rows, cols)
        data = resampled(np.where(codes == 0, band, np.zeros((), band.dtype)), rows, cols)
        # a sum with an invalid pixel is no number of the scene: the nearest pixel stands for it
        data = np.where(marks == 0, data, self._nearest(window, band, outer))
        return data, self._outside(window, marks), decoded

    def _nearest(self, window: Window, band: npt.NDArray[Any], outer: Window) -> npt.NDArray[Any]:
        """The nearest pixels of a band that was read of a window of its file."""
        rows, cols = self.rows.taps(window.rows, "nearest"), self.cols.taps(window.cols, "nearest")
        return resampled(band[Window.of(rows.span, cols.span).index_in(outer)], rows, cols)

    def _outside(self, window: Window, codes: CauseCodes | None) -> CauseCodes | None:
        """The codes, with those of pixels whose centre lies outside the band."""
        inside = self.rows.inside(window.rows)[:, np.newaxis] & self.cols.inside(window.cols)
        if inside.all():
            return codes
        return np.where(inside, 0 if codes is None else codes, OUTSIDE_BAND).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class BandsSource:
    """Bands in files of their own on one grid. Pickles as a spec; each file opens lazily in each thread."""

    path: str
    """What the config names, as messages show it."""
    parts: tuple[Band, ...]
    """In the order of the network's bands."""
    grid: Grid
    """Size and georeference."""
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are, or where any is."""
    radiometry: Radiometry = "raw"
    """What the numbers of calibrated bands are turned into."""
    product: Product | None = None
    """The product that the files belong to."""
    qualities: tuple[Quality, ...] = ()
    """Bands that say which pixels count."""
    warning: str = ""
    """What a person should decide; empty where there is nothing."""

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return len(self.parts)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The smallest dtype that holds the raw pixels of all bands; float32 of reflectance."""
        if self.radiometry == "reflectance":
            return np.dtype("float32")
        return np.result_type(*(band.source.dtype for band in self.parts))

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the blocks of the files that have the scene's own pixels, px.

        Coarser files have blocks that reach further. They are decoded again for neighbours, which costs no more than a
        file of the scene's own pixels does.
        """
        blocks = [band.source.block for band in self.parts if band.aligned]
        blocks = blocks or [self._scaled_block(band) for band in self.parts]
        rows, cols = max(blocks, key=lambda block: block[0] * block[1])
        return rows, cols

    @property
    def rgb(self) -> tuple[int, ...]:
        """Which of the bands, from 0, are red, green and blue by their common names."""
        names = [band.common_name for band in self.parts]
        return tuple(names.index(colour) for colour in RGB) if set(RGB) <= set(names) else ()

    @property
    def open_files(self) -> int:
        """Bytes that the files of mosaics hold while they are open."""
        return max(band.source.open_files for band in self.parts)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """The files, how they are resampled, and what is to be said of each."""
        notes = (
            *self._product_notes(),
            self._files_note(),
            *self._resampling_notes(),
            *self._notes_of_files(),
            *self._quality_notes(),
        )
        return (self.warning, *notes) if self.warning else notes

    @property
    def working_bytes(self) -> int:
        """Bytes that a read of a large tile holds of one file whose pixels are resampled; 0 where none are."""
        per_pixel = [
            band.rows.step * band.cols.step * (band.source.dtype.itemsize + 1)
            for band in self.parts
            if not band.aligned
        ]
        return round(LARGE_TILE**2 * max(per_pixel, default=0.0))

    def identity(self) -> dict[str, Any]:
        """Path, files, grid, and what is read of them."""
        files = [band.source.identity() for band in self.parts]
        files += [quality.source.identity() for quality in self.qualities]
        files += [identity_of(file, [file]) for file in (self.product.files if self.product else ())]
        which = [{key: identity[key] for key in FILE_KEYS if key in identity} for identity in files]
        return {
            "path": redacted(self.path),
            "size": sum(int(identity.get("size") or 0) for identity in files),
            "files": hashlib.blake2b(json.dumps(which, sort_keys=True).encode(), digest_size=16).hexdigest(),
            "grid": self.grid.as_dict(),
            "bands": [band.name for band in self.parts],
            "nodata": str(self.parts[0].source.nodata),
            "nodata_rule": self.rule,
            "scale_tags": self.parts[0].source.scale_tags,
            "as": sorted({news for band in self.parts for news in band.source.news}),
            "resampled": {
                band.name: [band.method, *(number for axis in (band.rows, band.cols) for number in _numbers(axis))]
                for band in self.parts
                if not band.aligned
            },
            **({} if self.product is None else self.product.facts),
            **self._indexes(),
            **self._radiometric_identity(),
            **(
                {"valid": {quality.name: quality.rule.as_dict() for quality in self.qualities}}
                if self.qualities
                else {}
            ),
        }

    def _indexes(self) -> dict[str, Any]:
        """Which bands of their files are read; nothing where each is the first."""
        indexes = [band.source.indexes[0] for band in self.parts]
        return {"indexes": indexes} if set(indexes) != {1} else {}

    def _radiometric_identity(self) -> dict[str, Any]:
        """The numbers by which raw pixels are changed; nothing where they are not."""
        if self.radiometry == "raw":
            return {}
        numbers = {band.name: asdict(band.calibration) for band in self.parts if band.calibration}
        return {"radiometry": self.radiometry, "calibration": numbers}

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        Raises
        ------
        ReadError
            A file cannot be read.
        """
        try:
            return read_beyond(self, window, self._read)
        except SourceError as error:  # of a file that could be opened when the source was
            raise ReadError(str(error)) from error

    def _read(self, window: Window) -> Pixels:
        data = np.empty((self.bands, window.height, window.width), self.dtype)
        codes, decoded = [], 0
        for k, band in enumerate(self.parts):
            raw, marks, pixels = band.read(window)
            data[k] = raw if band.calibration is None else band.calibration.convert(raw, self.radiometry)
            codes.append(marks)
            decoded = max(decoded, pixels)
        hidden = [marks for quality in self.qualities if (marks := quality.codes(window)) is not None]
        causes = joined(codes, self.rule) if not hidden else joined_with(codes, hidden, self.rule)
        valid = np.ones(data.shape[1:], bool) if causes is None else causes == 0
        return Pixels(data=data, valid=valid, causes=causes, decoded=decoded)

    def _scaled_block(self, band: Band) -> tuple[int, int]:
        rows, cols = band.source.block
        height, width = round(rows / band.rows.step), round(cols / band.cols.step)
        return min(max(height, 1), self.grid.height), min(max(width, 1), self.grid.width)

    def _product_notes(self) -> list[str]:
        if self.product is None:
            return []
        meanings = {
            "raw": "as they are",
            "harmonised": "with the offset of its metadata",
            "reflectance": "as reflectance",
        }
        return [f"it is {self.product.title}; its numbers are read {meanings[self.radiometry]}"]

    def _quality_notes(self) -> list[str]:
        return [
            f"{quality.name} of {short(quality.source.path)} says which pixels are valid" for quality in self.qualities
        ]

    def _files_note(self) -> str:
        names = [f"{band.name} of {short(band.source.path)}" for band in self.parts[:MAX_FILES]]
        more = f" and {self.bands - MAX_FILES} more" if self.bands > MAX_FILES else ""
        return f"its bands are files of their own: {', '.join(names)}{more}"

    def _resampling_notes(self) -> list[str]:
        """A sentence for each resolution and method, with the bands that have it."""
        groups: dict[str, list[str]] = {}
        for band in self.parts:
            if not band.aligned:
                groups.setdefault(self._placement(band), []).append(band.name)
        return [
            f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} brought {how}" for how, names in groups.items()
        ]

    def _placement(self, band: Band) -> str:
        unit = crs_of(self.grid.wkt).axis_info[0].unit_name if self.grid.wkt else self.grid.unit
        size, target = (max(grid.pixel_size) for grid in (band.source.grid, self.grid))
        return f"from pixels of {size:g} to {target:g} {unit} by {band.method}"

    def _notes_of_files(self) -> list[str]:
        """What all files have in common once, and the rest with the band's name."""
        notes: dict[str, list[str]] = {}
        for band in self.parts:
            for note in band.source.notes:
                notes.setdefault(note, []).append(band.name)
        return [f"{', '.join(names)}: {note}" for note, names in notes.items()]


def _numbers(axis: Axis) -> tuple[float, ...]:
    return axis.length, axis.start, axis.step
