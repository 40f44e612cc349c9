"""``model.input.normalise`` in words: the numbers, where they come from, and why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import NormaliseConfig
    from pipeline.statistics.band_statistics import BandStatistics

NORMALISE_KEY = "model.input.normalise"
"""In the fingerprint."""
_NAMED_BANDS = 5
"""Bands that a message names."""


def normalise_sentence(record: Mapping[str, Any], provisional: bool = False) -> str:
    """The numbers and where they come from, for people.

    Parameters
    ----------
    record
        As the fingerprint of a store has it.
    provisional
        Whether the numbers are of a few windows alone.
    """
    if "target" in record:
        return stain_sentence(record)
    clipped = ", clipped to 0…1" if record["clip"] else ""
    return f"{_method_text(record)}: {_numbers_text(record)}{clipped}; {_origin_text(record, provisional)}"


def stain_sentence(record: Mapping[str, Any]) -> str:
    """Stains of a slide and where they come from, for people."""
    stain = record["stain"]
    if record["method"] == "macenko":
        vectors = " and ".join(
            f"{name} ({', '.join(f'{value:.3f}' for value in vector)}) up to {most:.3g}"
            for name, vector, most in zip(("haematoxylin", "eosin"), stain["vectors"], stain["maxima"], strict=True)
        )
        numbers = f"stains by Macenko: {vectors}"
    else:
        pairs = ", ".join(f"{one:.4g} ± {other:.3g}" for one, other in zip(stain["mean"], stain["std"], strict=True))
        numbers = f"colours by Reinhard: lαβ {pairs}"
    if record["given"] is not None:
        return f"{numbers}; as the config gives them"
    size = "" if record["um_per_px"] is None else f" at {record['um_per_px']:g} µm per px"
    return f"{numbers}; from {record['pixels']:,} px of stained tissue{size}"


def constant_bands(normalise: NormaliseConfig, statistics: BandStatistics, bands: Sequence[int], subject: str) -> str:
    """Why nothing can be divided by the numbers of some bands, counted from 0."""
    named = ", ".join(f"band {band + 1} {statistics.pairs[band][0]:g}" for band in bands[:_NAMED_BANDS])
    more = f" and {len(bands) - _NAMED_BANDS} more" if len(bands) > _NAMED_BANDS else ""
    what = {
        "percentile": "low and high percentile are equal",
        "minmax": "the smallest and the largest value are equal",
        "standardise": "the standard deviation is 0, around",
    }[normalise.method]
    wider = "give percentages that lie wider apart, " if normalise.method == "percentile" else ""
    return (
        f"{NORMALISE_KEY} finds nothing to divide by in {subject}: {what} in {named}{more}. Leave the band out "
        f"with source.bands, {wider}or give method: fixed with low and high."
    )


def _numbers_text(record: Mapping[str, Any]) -> str:
    """Of the first bands; of all bands together once."""
    first, second = (name for name in ("low", "high", "mean", "std") if name in record)
    between = " ± " if first == "mean" else "…"
    texts = [f"{one:.6g}{between}{other:.6g}" for one, other in zip(record[first], record[second], strict=True)]
    if record.get("channels") == "joint":
        return texts[0]
    more = f" and {len(texts) - _NAMED_BANDS} bands more" if len(texts) > _NAMED_BANDS else ""
    return f"{', '.join(texts[:_NAMED_BANDS])}{more}"


def _method_text(record: Mapping[str, Any]) -> str:
    planes = {"each": "each band", "joint": "all bands together"}.get(record.get("channels", ""), "")
    if record["method"] == "percentile":
        low, high = record["percentages"]
        return f"percentiles {low:g} and {high:g} of {planes}"
    if record["method"] == "fixed":
        return "fixed low and high"
    names = {"minmax": "smallest and largest value", "standardise": "mean and standard deviation"}
    return f"{names[record['method']]} of {planes}"


def _origin_text(record: Mapping[str, Any], provisional: bool) -> str:
    if record["method"] == "fixed":
        return "as the config gives them"
    where = {"raster": "the raster", "aoi": "the area", "tissue": "the tissue or mask"}[record["over"]]
    pixels = f"{record['pixels']:,} valid px"
    if provisional:
        return f"PROVISIONAL, from {pixels} in a few windows of {where}: a run finds them in a pass of its own"
    if record["resolution"] == "overview":
        return f"from {pixels} of the overview 1:{record['step']}, which is not exact"
    return f"exact, from all {pixels} of {where}"
