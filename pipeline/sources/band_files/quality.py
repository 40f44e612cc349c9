"""``source.valid``: quality bands that say which pixels count, by classes or by flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.geometry.resampling import Axis, Method, Taps, widened
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources.raster import RasterSource
from pipeline.sources.validity.band_causes import UNUSABLE, CauseCodes

_CLASSES = (
    "no_data saturated dark cloud_shadow vegetation bare_soil water unclassified cloud_medium cloud_high cirrus snow"
)
SCENE_CLASSES = {name: value for value, name in enumerate(_CLASSES.split())}
"""Classes of Sentinel-2's band SCL, by name."""
_FLAGS = "fill dilated_cloud cirrus cloud shadow snow clear water"
PIXEL_FLAGS = {name: bit for bit, name in enumerate(_FLAGS.split())}
"""Bits of Landsat's band QA_PIXEL, by name."""
QUALITY = UNUSABLE | CAUSES.index("quality")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which numbers of a quality band make a pixel invalid."""

    values: tuple[int, ...] = ()
    """Numbers that are listed."""
    listed_are_valid: bool = True
    """Whether those alone are valid, or those alone invalid."""
    bits: int = 0
    """Bits of which any makes a pixel invalid."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a fingerprint, as JSON gives them back."""
        return {"values": list(self.values), "listed_are_valid": self.listed_are_valid, "bits": self.bits}

    def marks(self, band: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """(rows, cols) where pixels are invalid."""
        listed = np.isin(band, self.values)
        marks = ~listed if self.listed_are_valid else listed
        return np.asarray(marks | (band & self.bits != 0) if self.bits else marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """A grid of bands that are resampled, of whose sums each pixel must be valid."""

    rows: Axis
    """How that grid lies on the rows of the scene."""
    cols: Axis
    method: Method
    quality_rows: Axis
    """How the quality band lies on the rows of that grid."""
    quality_cols: Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A quality band and its rule."""

    name: str
    source: RasterSource
    rule: Rule
    rows: Axis
    """How it lies on the rows of the scene."""
    cols: Axis
    footprints: tuple[Footprint, ...] = ()

    def codes(self, window: Window) -> CauseCodes | None:
        """(rows, cols) codes of a window inside the scene; None where all of it is valid."""
        codes = self._laid(self.rows, self.cols, window)
        for place in self.footprints:
            rows, cols = place.rows.taps(window.rows, place.method), place.cols.taps(window.cols, place.method)
            inner = self._laid(place.quality_rows, place.quality_cols, Window.of(rows.span, cols.span))
            codes = np.maximum(codes, widened(inner, rows, cols))
        return codes if codes.any() else None

    def _laid(self, rows_axis: Axis, cols_axis: Axis, window: Window) -> CauseCodes:
        """On a grid: by the nearest pixel, and on a coarser grid by all pixels that a pixel covers."""
        rows, cols = _covered(rows_axis, window.rows), _covered(cols_axis, window.cols)
        pixels = self.source.read(Window.of(rows.span, cols.span))
        marks = self.rule.marks(pixels.data[0]) | ~pixels.valid
        codes = widened(np.where(marks, QUALITY, 0).astype(np.uint8), rows, cols)
        inside = rows_axis.inside(window.rows)[:, np.newaxis] & cols_axis.inside(window.cols)
        return np.where(inside, codes, QUALITY).astype(np.uint8)


def _covered(axis: Axis, span: Span) -> Taps:
    return axis.taps(span, "average" if axis.step > 1 else "nearest")


def rule_of(name: str, allowed: Sequence[int | str] | None, forbidden: Sequence[int | str]) -> Rule:
    """The rule of one entry of ``source.valid``.

    Parameters
    ----------
    name
        Of the quality band, by which its classes and flags have names.
    allowed
        Values or classes that are valid; None where ``forbidden`` says which are not.
    forbidden
        Values, classes or flags that are invalid.

    Raises
    ------
    SourceError
        A name is not one of the band's.
    """
    if allowed is not None:
        return Rule(values=tuple(_value(name, entry) for entry in allowed))
    flags = PIXEL_FLAGS if name.lower() == "qa_pixel" else {}
    bits = sum(1 << bit for bit in {flags[str(entry)] for entry in forbidden if str(entry) in flags})
    values = tuple(_value(name, entry) for entry in forbidden if str(entry) not in flags)
    return Rule(values=values, listed_are_valid=False, bits=bits)


def _value(name: str, entry: int | str) -> int:
    classes = SCENE_CLASSES if name.lower() == "scl" else {}
    if isinstance(entry, int):
        return entry
    if entry in classes:
        return classes[entry]
    flags = classes or (PIXEL_FLAGS if name.lower() == "qa_pixel" else {})
    where = f"as {', '.join(flags)}" if flags else "as numbers"
    hint = ", flags of QA_PIXEL under not alone" if flags is PIXEL_FLAGS else ""
    raise SourceError(
        f"source.valid names {entry} of the band {name}, which is not known. Give its values {where}{hint}."
    )
