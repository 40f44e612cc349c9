"""How large a pixel of a microscope is, by the tags of its file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

DESCRIPTION = "TIFFTAG_IMAGEDESCRIPTION"
UM_PER_UNIT = {
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "pm": 1e-6,
    "å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
    "angstrom": 1e-4,
}
"""µm in each unit that people write, in lower case; the first two are two characters that look alike."""
TAGGED = {"2": 25400.0, "3": 1e4}
"""µm in the units of TIFF's ResolutionUnit."""
PLAUSIBLE = (0.005, 10.0)
"""µm: a resolution beyond them is a printer's or a screen's, such as 72 or 300 dpi, and says nothing of what was
photographed."""
SIGNIFICANT_DIGITS = 7
"""Significant ones that a rational tag keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSize:
    """Of a microscope's image."""

    height: float
    """µm."""
    width: float
    """µm."""
    origin: str
    """Which tag says so."""

    @property
    def note(self) -> str:
        """In words."""
        size = f"{self.width:g}" if self.width == self.height else f"{self.height:g} × {self.width:g}"
        return f"{size} µm per px, by {self.origin}"


def pixel_size(tags: Mapping[str, str]) -> PixelSize | None:
    """What the tags of a TIFF say, the most explicit of them first; None where nothing says it."""
    for read in PIXEL_SIZE_READERS:
        size = read(tags)
        if size is not None and size.height > 0 and size.width > 0:
            return size
    return None


def ome_pixels(description: str) -> Element | None:
    """The element Pixels of the first image of OME-XML; None where a text is none."""
    if "<OME" not in description and "openmicroscopy" not in description:
        return None
    try:
        root = fromstring(description.strip().encode())
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return next((element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"), None)


def _of_ome(tags: Mapping[str, str]) -> PixelSize | None:
    """https://docs.openmicroscopy.org/ome-model: PhysicalSizeX and Y, in µm unless a unit is named."""
    pixels = ome_pixels(tags.get(DESCRIPTION, ""))
    if pixels is None:
        return None
    height, width = (
        length(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "YX"
    )
    return _size(height, width, "its OME-XML")


def _of_imagej(tags: Mapping[str, str]) -> PixelSize | None:
    """ImageJ writes px per unit as the resolution, and the unit into the description."""
    text = tags.get(DESCRIPTION, "")
    unit = re.search(r"^unit=(.+)$", text, re.M)
    if not text.startswith("ImageJ=") or unit is None:
        return None
    height, width = (length(_inverse(tags.get(f"TIFFTAG_{axis}RESOLUTION")), unit[1]) for axis in "YX")
    return _size(height, width, "ImageJ's description")


def _of_aperio(tags: Mapping[str, str]) -> PixelSize | None:
    text = tags.get(DESCRIPTION, "")
    mpp = re.search(r"\|\s*MPP\s*=\s*([0-9.]+)", text)
    if not text.startswith("Aperio") or mpp is None:
        return None
    return _size(_number(mpp[1]), _number(mpp[1]), "Aperio's MPP")


def _of_resolution(tags: Mapping[str, str]) -> PixelSize | None:
    unit = TAGGED.get(tags.get("TIFFTAG_RESOLUTIONUNIT", "")[:1])
    if unit is None:
        return None
    height, width = (_number(_inverse(tags.get(f"TIFFTAG_{axis}RESOLUTION")), unit) for axis in "YX")
    plausible = all(size is not None and PLAUSIBLE[0] <= size <= PLAUSIBLE[1] for size in (height, width))
    return _size(height, width, "its resolution tags") if plausible else None


PIXEL_SIZE_READERS: tuple[Callable[[Mapping[str, str]], PixelSize | None], ...] = (
    _of_ome,
    _of_imagej,
    _of_aperio,
    _of_resolution,
)


def _size(height: float | None, width: float | None, origin: str) -> PixelSize | None:
    return None if height is None or width is None else PixelSize(height=height, width=width, origin=origin)


def length(text: str | float | None, unit: str) -> float | None:
    """A length in µm; None for units that are no lengths, such as pixel."""
    factor = UM_PER_UNIT.get(unit.strip().lower())
    return None if factor is None else _number(text, factor)


def _inverse(text: str | None) -> float | None:
    value = _number(text)
    return 1 / value if value else None


def _number(text: str | float | None, unit: float = 1.0) -> float | None:
    try:
        return None if text is None else float(f"{float(text) * unit:.{SIGNIFICANT_DIGITS}g}")
    except ValueError:
        return None
