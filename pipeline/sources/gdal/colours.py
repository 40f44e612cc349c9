"""Files whose numbers are no brightness.

Palettes, inverted greys, inks, and colours that are multiplied by their alpha.

Without ``source.bands`` such a file is read as a picture shows it, or refused by that word; bands that are named are
the file's own numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from pipeline.errors import SourceError
from pipeline.sources.gdal import tiff_tags
from pipeline.sources.validity.validity import alpha_of

INKS = {
    ColorInterp.cyan: "CMYK",
    ColorInterp.magenta: "CMYK",
    ColorInterp.yellow: "CMYK",
    ColorInterp.black: "CMYK",
    ColorInterp.Y: "YCbCr",
    ColorInterp.Cb: "YCbCr",
    ColorInterp.Cr: "YCbCr",
}
"""Bands that are not red, green and blue, and what such a file is called."""
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
STRUCTURE = "IMAGE_STRUCTURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How the numbers of a file become those that a picture shows; the default changes nothing."""

    table: bytes = b""
    """(entries, channels) uint8 of a palette."""
    channels: int = 0
    clear: bytes = b""
    """(entries,) bool: those that a palette shows as transparent; empty where there is none."""
    white: int = 0
    """The number that a picture shows as black, where 0 is white."""
    alpha: int | None = None
    """The band, counted from 1, by which colours are multiplied."""
    name: str = ""
    """What it is called; empty where nothing is changed."""
    note: str = ""
    """What is done about it."""

    def convert(self, raw: npt.NDArray[Any], alpha: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        """(bands, rows, cols) as a picture shows them.

        Parameters
        ----------
        raw
            (bands, rows, cols) as the file has them.
        alpha
            (rows, cols) of the band `alpha`, where there is one.
        """
        if self.table:
            return np.moveaxis(np.frombuffer(self.table, np.uint8).reshape(-1, self.channels)[raw[0]], -1, 0)
        if self.white:
            return np.asarray(raw.dtype.type(self.white) - raw)
        return raw if alpha is None else _divided(raw, alpha)

    def hides(self, band: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
        """(rows, cols) of a band where its palette is transparent, if it is anywhere."""
        return np.frombuffer(self.clear, bool)[band] if self.clear else None


AS_STORED = Picture()


def picture_of(dataset: DatasetReader, path: str, bands: list[int] | None) -> Picture:
    """How a raster is shown.

    Parameters
    ----------
    dataset
        An open raster.
    path
        Of it, as messages show it.
    bands
        ``source.bands``; None where nothing is named.

    Raises
    ------
    SourceError
        It is one of those whose colours are not known how to show.
    """
    kinds, structure = dataset.colorinterp, dataset.tags(ns=STRUCTURE)
    space = structure.get("SOURCE_COLOR_SPACE")
    if bands is not None:
        if space and any(kinds[i - 1] is ColorInterp.alpha for i in bands if i <= len(kinds)):
            raise _unsupported_error(
                path,
                space,
                "GDAL shows its colours as red, green and blue, and its own numbers cannot be had. Leave "
                "source.bands out",
            )
        return AS_STORED
    if space:
        return Picture(name=space, note=f"its {space} colours are read as red, green and blue")
    if (ink := next((INKS[kind] for kind in kinds if kind in INKS), None)) is not None:
        raise _unsupported_error(path, ink, _ADVICE)
    if structure.get("MINISWHITE") == "YES":
        return _inverted(dataset, path)
    color_kinds = [kind for kind in kinds if kind is not ColorInterp.alpha]
    if ColorInterp.palette in color_kinds:
        return _palette(dataset, path, len(color_kinds))
    return _multiplied(dataset, path)


_ADVICE = (
    "Turn it into red, green and blue first, or name its bands in source.bands, which takes its numbers as they are"
)


def rgb_of(dataset: DatasetReader, indexes: tuple[int, ...], picture: Picture) -> tuple[int, ...]:
    """Which of the bands read, from 0, are red, green and blue; empty where the file does not say.

    Parameters
    ----------
    dataset
        An open raster.
    indexes
        Bands that are read, counted from 1.
    picture
        How they are shown.
    """
    if picture.table:
        return (0, 1, 2) if picture.channels == len(_RGB) else ()
    kinds = [dataset.colorinterp[i - 1] for i in indexes]
    return tuple(kinds.index(kind) for kind in _RGB) if all(kind in kinds for kind in _RGB) else ()


def _unsupported_error(path: str, name: str, advice: str) -> SourceError:
    return SourceError(
        f"{path} is a picture in {name}, whose numbers are no brightness of red, green and blue. {advice}."
    )


def _bits(dataset: DatasetReader) -> int:
    return int(dataset.tags(1, ns=STRUCTURE).get("NBITS", 8 * np.dtype(dataset.dtypes[0]).itemsize))


def _inverted(dataset: DatasetReader, path: str) -> Picture:
    if dataset.count > 1 or np.dtype(dataset.dtypes[0]).kind != "u":
        raise _unsupported_error(path, f"MinIsWhite of {dataset.count} bands of {dataset.dtypes[0]}", _ADVICE)
    return Picture(
        white=2 ** _bits(dataset) - 1,
        name="MinIsWhite",
        note="it is MinIsWhite (0 is white), and is read inverted, as pictures show it",
    )


def _palette(dataset: DatasetReader, path: str, count: int) -> Picture:
    if count > 1:
        raise SourceError(
            f"{path} has {count} bands, some of which are numbers of a palette, as frames of a GIF are. "
            f"Name one or several in source.bands, which takes the "
            "numbers as they are, or turn them into red, green and blue first (gdal_translate -expand rgb)."
        )
    colors = dataset.colormap(1)
    if _bits(dataset) == 1 and {sum(colors[k][:3]) for k in (0, 1) if k in colors} <= {0, 765}:
        dark = sum(colors.get(0, (0,))[:3]) == 0
        return (
            AS_STORED
            if dark
            else Picture(
                white=1,
                name="MinIsWhite",
                note="it is MinIsWhite (0 is white), and is read inverted, as pictures show it",
            )
        )
    table = np.zeros((np.iinfo(dataset.dtypes[0]).max + 1, 4), np.uint8)
    for entry, color in colors.items():
        if entry < len(table):
            table[entry] = color
    grey, clear = bool((table[:, :1] == table[:, :3]).all()), table[:, 3] == 0
    clear[max(colors, default=0) + 1 :] = False
    channels = 1 if grey else 3
    return Picture(
        table=table[:, :channels].tobytes(),
        channels=channels,
        clear=clear.tobytes() if clear.any() else b"",
        name="palette",
        note=f"its palette is read as {'grey' if grey else 'red, green and blue'}; source.bands: [1] reads "
        f"its numbers as they are",
    )


def _multiplied(dataset: DatasetReader, path: str) -> Picture:
    alpha = alpha_of(dataset, ())
    multiplied = {False} if alpha is None else tiff_tags.multiplied(dataset)
    if len(multiplied) > 1 and True in multiplied:
        raise SourceError(
            f"{path} is put together from files whose colours are multiplied by their alpha (associated "
            f"alpha) and others whose are not, or do not say "
            "so, so that neither can be undone for all. Bring them to one form first, or name the bands in "
            "source.bands, which takes their numbers as they are."
        )
    if None in multiplied:
        return Picture(
            name="",
            note="whether its colours are multiplied by its alpha (associated alpha) cannot be seen; they "
            "are read as they are",
        )
    if multiplied != {True}:
        return AS_STORED
    if len(set(dataset.dtypes)) > 1:
        raise _unsupported_error(path, "associated alpha of mixed dtypes", _ADVICE)
    return Picture(
        alpha=alpha,
        name="associated alpha",
        note="its colours are multiplied by its alpha (associated alpha), and are divided by it again",
    )


def _divided(raw: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    maximum = 1.0 if raw.dtype.kind == "f" else float(np.iinfo(raw.dtype).max)
    colors = raw.astype(np.float32 if raw.dtype.itemsize < 4 else np.float64)
    np.multiply(colors, maximum / np.where(alpha == 0, maximum, alpha), out=colors, casting="same_kind")
    return colors.astype(raw.dtype) if raw.dtype.kind == "f" else np.rint(np.minimum(colors, maximum)).astype(raw.dtype)
