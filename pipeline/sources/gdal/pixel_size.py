"""How large a pixel of a microscope is, by the tags of its file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.geometry.length_units import UM_PER_INCH, um_per

DESCRIPTION = "TIFFTAG_IMAGEDESCRIPTION"
TAGGED = {"2": UM_PER_INCH, "3": 1e4}
"""µm in the units of TIFF's ResolutionUnit."""
PLAUSIBLE = (0.005, 10.0)
"""µm: a resolution beyond them is a printer's or a screen's, such as 72 or 300 dpi, and says nothing of what was
photographed."""
SCREEN_DPI = (72, 96)
"""Resolutions that programs write where they know none."""
SAME_DPI = 0.005
"""Share by which a resolution may be off one of these."""
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
    def is_plausible(self) -> bool:
        """Whether a microscope may have it."""
        return all(PLAUSIBLE[0] <= size <= PLAUSIBLE[1] for size in (self.height, self.width))

    @property
    def dpi(self) -> int | None:
        """The resolution of a screen that it is; None where it is another."""
        near = (dpi for dpi in SCREEN_DPI if abs(self.width * dpi / UM_PER_INCH - 1) < SAME_DPI)
        return next(near, None)

    @property
    def note(self) -> str:
        """In words, with what speaks against it."""
        doubt = f" (the {self.dpi} dpi of a screen: source.pixel_size overrules it)" if self.dpi else ""
        return f"{self.text}{doubt}"

    @property
    def text(self) -> str:
        """The size and its origin."""
        size = f"{self.width:g}" if self.width == self.height else f"{self.height:g} × {self.width:g}"
        return f"{size} µm per px, by {self.origin}"


def pixel_size(tags: Mapping[str, str]) -> PixelSize | None:
    """What the tags of a TIFF say, the most explicit of them first; None where nothing says it."""
    for read in PIXEL_SIZE_READERS:
        size = read(tags)
        if size is not None and size.height > 0 and size.width > 0:
            return size
    return None


def given_size(value: float | list[float] | None) -> PixelSize | None:
    """What ``source.pixel_size`` says, µm or [y, x]."""
    if value is None:
        return None
    height, width = value if isinstance(value, list) else (value, value)
    return PixelSize(height=height, width=width, origin="source.pixel_size")


def printed_size(tags: Mapping[str, str]) -> PixelSize | None:
    """The resolution of a TIFF that is no microscope's; None where it may be one, or none is there."""
    size = _resolution(tags)
    return size if size is not None and not size.is_plausible else None


def printed_note(size: PixelSize) -> str:
    """What is to be said of a size that is not taken."""
    return (
        f"{size.text}, is {UM_PER_INCH / size.width:.0f} dpi of a screen or a printer and is not taken; "
        f"source.pixel_size gives the µm per px where they are known"
    )


def ome_pixels(description: str, image: int = 0) -> Element | None:
    """The element Pixels of an image of OME-XML; None where a text is none, or has no such image."""
    if "<OME" not in description and "openmicroscopy" not in description:
        return None
    try:
        root = fromstring(description.strip().encode())
    except (ParseError, DefusedXmlException, ValueError):
        return None
    pixels = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"]
    return pixels[image] if image < len(pixels) else None


def _of_ome(tags: Mapping[str, str]) -> PixelSize | None:
    """https://docs.openmicroscopy.org/ome-model: PhysicalSizeX and Y, in µm unless a unit is named."""
    return size_of_ome_pixels(ome_pixels(tags.get(DESCRIPTION, "")))


def size_of_ome_pixels(pixels: Element | None) -> PixelSize | None:
    """The size that the element Pixels states."""
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
    size = _resolution(tags)
    return size if size is not None and size.is_plausible else None


def _resolution(tags: Mapping[str, str]) -> PixelSize | None:
    unit = TAGGED.get(tags.get("TIFFTAG_RESOLUTIONUNIT", "")[:1])
    if unit is None:
        return None
    height, width = (_number(_inverse(tags.get(f"TIFFTAG_{axis}RESOLUTION")), unit) for axis in "YX")
    return _size(height, width, "its resolution tags")


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
    factor = um_per(unit)
    return None if factor is None else _number(text, factor)


def _inverse(text: str | None) -> float | None:
    value = _number(text)
    return 1 / value if value else None


def _number(text: str | float | None, unit: float = 1.0) -> float | None:
    try:
        return None if text is None else float(f"{float(text) * unit:.{SIGNIFICANT_DIGITS}g}")
    except ValueError:
        return None
