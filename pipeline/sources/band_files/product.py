"""A scene as its agency delivers it: bands by name, with their files, aliases and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.sources.band_files.calibration import Calibration
from pipeline.sources.band_files.files import BandFile, missing_band_error


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductBand:
    """One band of a product."""

    name: str
    """As the agency names it, such as B02."""
    path: str
    """As GDAL opens it."""
    aliases: tuple[str, ...] = ()
    """Other names, in lower case: the common name first."""
    calibration: Calibration | None = None
    """None of bands that are no image, such as classes and flags."""
    nodata: float | None = None
    """Number of an image that means nothing, which the file itself may not say."""
    image: bool = False
    """Whether it shows light; False of classes, flags and qualities."""
    index: int | None = None
    """In its file, from 1; None of a file of one band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A scene as its agency delivers it."""

    title: str
    path: str
    bands: tuple[ProductBand, ...]
    offset_key: str = ""
    """Key of the metadata that holds the offsets."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What of it belongs to the identity of a source, as plain values."""
    files: tuple[str, ...] = ()
    """Files beside the bands that decide what is read: metadata, or the archive."""

    def chosen(self, names: Sequence[int | str] | None) -> list[BandFile]:
        """The bands that are asked for, in that order; all images where none are.

        Raises
        ------
        SourceError
            There is no such band.
        """
        if not names:
            return [_file(band.name, band) for band in self.bands if band.image]
        return [_file(str(name), self.band(str(name))) for name in names]

    def band(self, name: str) -> ProductBand:
        """The band of a name, in any case, or of an alias. Raises SourceError where there is none."""
        wanted = name.lower()
        for band in self.bands:
            if wanted == band.name.lower() or wanted in band.aliases:
                return band
        raise missing_band_error(name, f"{self.path} ({self.title})", [_with_alias(band) for band in self.bands])


def _file(name: str, band: ProductBand) -> BandFile:
    return BandFile(
        name=name,
        path=band.path,
        common_name=band.aliases[0] if band.aliases else "",
        calibration=band.calibration,
        nodata=band.nodata,
        image=band.image,
        index=band.index,
    )


def _with_alias(band: ProductBand) -> str:
    return f"{band.name} ({band.aliases[0]})" if band.aliases else band.name
