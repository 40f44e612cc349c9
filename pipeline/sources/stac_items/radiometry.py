"""What the numbers of an item's bands stand for, by its metadata, and where these contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SourceError
from pipeline.sources.band_files.calibration import Calibration
from pipeline.sources.stac_items.asset_bands import AssetBand

APPLIED = "earthsearch:boa_offset_applied"
"""Property of Earth Search: whether its files have the offset of the product in their numbers already. What it says
holds, whatever offset ``raster:bands`` names."""
BASELINE = "s2:processing_baseline"
FIRST_WITH_OFFSET = (4, 0)
"""Processing baseline of Sentinel-2 from which products have an offset."""
WHOLE = 1e-3
"""An offset that is this near to a whole number of raw steps is one."""


def calibration_of(band: AssetBand, properties: Mapping[str, Any]) -> Calibration | None:
    """Gain and offset of a band; None where the item says neither."""
    if "raster:scale" not in band.metadata and "raster:offset" not in band.metadata:
        return None
    gain, bias = stated_numbers(band)
    if properties.get(APPLIED) is True:
        bias = 0.0
    steps = bias / gain if gain and not str(band.metadata.get("data_type", "")).startswith("float") else 0.0
    return Calibration(gain=gain, bias=bias, offset=round(steps) if abs(steps - round(steps)) < WHOLE else 0)


def stated_numbers(band: AssetBand) -> tuple[float, float]:
    """Scale and offset as the item names them; 1 and 0 by default."""
    return float(band.metadata.get("raster:scale", 1)), float(band.metadata.get("raster:offset", 0))


def offset_key_of(bands: Sequence[AssetBand], properties: Mapping[str, Any]) -> str:
    """The key that says which integer is added to raw numbers; empty where none does."""
    if APPLIED in properties:
        return APPLIED if properties[APPLIED] else "raster:offset"
    calibrations = (calibration_of(band, properties) for band in bands)
    return "raster:offset" if any(entry and entry.offset for entry in calibrations) else ""


def check_offsets(bands: Sequence[AssetBand], properties: Mapping[str, Any], title: str) -> None:
    """Refuse an item whose properties and bands contradict each other in the offset of reflectance.

    Raises
    ------
    SourceError
        An offset is said not to be applied, and no band has one.
    """
    images = [band for band in bands if band.is_image]
    if properties.get(APPLIED) is not False or _baseline(properties) < FIRST_WITH_OFFSET or not images:
        return
    if not any(stated_numbers(band)[1] for band in images):
        raise SourceError(
            f"{title} contradicts itself: {APPLIED} is false and {BASELINE} is {properties[BASELINE]}, so that an "
            f"offset is still to be added, but its bands name none. Look at its numbers, and say in source.radiometry "
            f"how they are read."
        )


def _baseline(properties: Mapping[str, Any]) -> tuple[int, ...]:
    parts = str(properties.get(BASELINE, "0.0")).split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (0, 0)
