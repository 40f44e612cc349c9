"""``model.input.normalise`` of a job: where its numbers come from, and what is refused of them.

A store, or a frozen plan, that has numbers keeps them. Before there is one, the numbers are of a few windows and
provisional, until a run passes over the raster; those of an overview and those of method ``fixed`` are had at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.config import Config, NormaliseConfig, SourceConfig
from pipeline.errors import ConfigError, ReadError, SourceError
from pipeline.inference.colour_transfer import ColourTransfer
from pipeline.inference.normalise import Normalisation, Stretch
from pipeline.inspect.scene_values import lattice
from pipeline.interfaces import Source
from pipeline.planning.counted_area import KEY_OF_AREA, counted_area
from pipeline.planning.normalise_text import NORMALISE_KEY, constant_bands
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.sources.gdal.colours import AS_STORED
from pipeline.sources.overview import Overview, raster_of, read_overview
from pipeline.statistics.band_statistics import PAIRS, BandStatistics, Measure, statistics_of
from pipeline.statistics.stains import STAIN_METHODS, transfer_of
from pipeline.store import lifecycle

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea, SourceAreas


def with_stretch(
    resolved: ResolvedModel,
    config: SourceConfig,
    source: Source,
    areas: SourceAreas,
    stored: Mapping[str, Any] | None,
) -> ResolvedModel:
    """The model with the numbers of its raster, where ``model.input.normalise`` asks for any.

    Parameters
    ----------
    resolved
        Without them.
    config, source, areas
        The raster, and what is asked for of it.
    stored
        Fingerprint of the store that is there, or of a frozen plan; else None.

    Raises
    ------
    ConfigError
        A list has another length than the bands, there is no area or overview that is asked for, or bands are no
        colours.
    SourceError
        An overview holds no numbers to divide by, or the tissue tells no stains.
    """
    normalise = None if resolved.model.input is None else resolved.model.input.normalise
    if normalise is None:
        return resolved
    if normalise.method in STAIN_METHODS:
        return resolved.with_stretch(_colour_transfer(normalise, resolved.normalisation, config, source, areas, stored))
    area = counted_area(normalise, areas)
    return resolved.with_stretch(_stretch(normalise, resolved.normalisation, source, area, stored))


def measure_of(normalise: NormaliseConfig, normalisation: Normalisation, source: Source) -> Measure:
    """What is counted of a raster."""
    return Measure(
        method=normalise.method,
        bands=normalisation.channels,
        dtype=str(source.dtype if normalisation.transform is None else np.dtype("float32")),
        joint=normalise.channels == "joint",
        percents=normalise.percentages if normalise.method == "percentile" else (0.0, 100.0),
    )


def measured_stretch(normalise: NormaliseConfig, statistics: BandStatistics, subject: str) -> Stretch:
    """The numbers of a raster, ready to be applied.

    Parameters
    ----------
    normalise
        The config.
    statistics
        What was found.
    subject
        What was looked at, for messages.

    Raises
    ------
    SourceError
        No pixel is valid, or a band has nothing to divide by.
    """
    if not statistics.pairs:
        keys = " and ".join(["source.nodata", *filter(None, [KEY_OF_AREA.get(normalise.over)])])
        raise SourceError(
            f"{NORMALISE_KEY} finds no valid pixel in {subject}, so that it has no numbers to normalise by. Check "
            f"{keys}, or give method: fixed with low and high."
        )
    spans = [second - first * (normalise.method != "standardise") for first, second in statistics.pairs]
    if constant := [band for band, span in enumerate(spans) if not span > 0]:
        raise SourceError(constant_bands(normalise, statistics, constant, subject))
    names = PAIRS[normalise.method]
    numbers = {name: list(values) for name, values in zip(names, zip(*statistics.pairs, strict=True), strict=True)}
    return _stretch_of({**_request(normalise), **numbers, "pixels": statistics.pixels})


def numbers_known(normalise: NormaliseConfig, stored: Mapping[str, Any]) -> bool:
    """Whether a fingerprint holds the numbers that are asked for."""
    record, request = stored.get(NORMALISE_KEY) or {}, _request(normalise)
    return {name: record.get(name) for name in request} == request and record.get("eps", 0) == request.get("eps", 0)


def stored_numbers(config: Config) -> Mapping[str, Any] | None:
    """The fingerprint of the store of a config, or of its frozen plan, where it holds what is asked for."""
    normalise = None if config.model.input is None else config.model.input.normalise
    if normalise is None:
        return None
    if config.locked is not None:
        fingerprint = config.locked.fingerprint
    elif lifecycle.exists(config.output.path) and lifecycle.is_mask_store(config.output.path):
        fingerprint = lifecycle.read_store_meta(config.output.path, "fingerprint")["fingerprint"]
    else:
        return None
    return fingerprint if numbers_known(normalise, fingerprint) else None


def _stretch(
    normalise: NormaliseConfig,
    normalisation: Normalisation,
    source: Source,
    area: RequestedArea | None,
    stored: Mapping[str, Any] | None,
) -> Stretch:
    if normalise.method == "fixed":
        return _fixed(normalise, normalisation.channels)
    request = _request(normalise)
    if stored is not None:
        has_numbers = numbers_known(normalise, stored)
        return _stretch_of(stored[NORMALISE_KEY]) if has_numbers else _unknown(request, normalisation.channels)
    if normalise.resolution == "overview":
        overview = _overview(source, normalisation)
        measure = measure_of(normalise, normalisation, source)
        statistics = statistics_of(replace(measure, dtype="float32"), overview.data[:, overview.valid])
        stretch = measured_stretch(normalise, statistics, f"the overview 1:{overview.step}")
        return replace(stretch, record={**stretch.record, "step": overview.step})
    return _provisional(normalise, normalisation, source, area)


def _colour_transfer(
    normalise: NormaliseConfig,
    normalisation: Normalisation,
    config: SourceConfig,
    source: Source,
    areas: SourceAreas,
    stored: Mapping[str, Any] | None,
) -> ColourTransfer:
    if normalisation.transform is not None:
        raise ConfigError(
            f"{NORMALISE_KEY}.method is {normalise.method}, which changes raw colours, and model.input.transform "
            f"changes them first. Leave one of them out."
        )
    from pipeline.planning.stains import colour_bands, stain_request, stain_transfer

    if stored is not None and numbers_known(normalise, stored):
        return transfer_of(dict(stored[NORMALISE_KEY]), colour_bands(source))
    if stored is not None:  # it is refused by its fingerprint before any colour is changed
        request = stain_request(normalise)
        return transfer_of({**request, "stain": request["target"]}, colour_bands(source))
    return stain_transfer(normalise, config, source, areas)


def _request(normalise: NormaliseConfig) -> dict[str, Any]:
    """What is asked for, as the fingerprint has it."""
    if normalise.method in STAIN_METHODS:
        # it reads slides, and most jobs ask for no stains
        from pipeline.planning.stains import stain_request

        return stain_request(normalise)
    asked = normalise.model_dump(mode="json", include={"method", "over", "channels", "clip", "resolution"})
    percentages = {"percentages": list(normalise.percentages)} if normalise.method == "percentile" else {}
    # stores of before have no such key
    return {**asked, **percentages, **({"eps": normalise.eps} if normalise.eps else {})}


def _stretch_of(record: Mapping[str, Any]) -> Stretch:
    if record["method"] == "standardise":
        shift, span = record["mean"], record["std"]
    else:
        shift = record["low"]
        span = [high - low for low, high in zip(record["low"], record["high"], strict=True)]
    divisors = tuple(length + record.get("eps", 0.0) for length in span)
    return Stretch(shift=tuple(shift), span=divisors, clip=record["clip"], record=dict(record))


def _unknown(request: dict[str, Any], channels: int) -> Stretch:
    """Of a store that has other numbers or none: it is refused by its fingerprint before anything is normalised."""
    return Stretch(shift=(0.0,) * channels, span=(1.0,) * channels, clip=request["clip"], record=request)


def _fixed(normalise: NormaliseConfig, channels: int) -> Stretch:
    ends = {}
    for name, value in (("low", normalise.low), ("high", normalise.high)):
        listed = value if isinstance(value, list) else [0.0 if value is None else value] * channels
        if len(listed) != channels:
            raise ConfigError(
                f"{NORMALISE_KEY}.{name} has {len(listed)} values, but the network gets {channels} bands. Give one "
                f"number, or one value per band."
            )
        ends[name] = [float(one) for one in listed]
    return _stretch_of({"method": "fixed", **ends, "clip": normalise.clip})


def _overview(source: Source, normalisation: Normalisation) -> Overview:
    """The finest overview of at most 16 MiB."""
    raster = raster_of(source)
    stored_as_read = raster is not None and raster.picture == AS_STORED and not raster.scale_tags
    if not stored_as_read or normalisation.transform is not None:
        raise ConfigError(
            f"{NORMALISE_KEY}.resolution is overview, which holds for a raster that is read as it is stored: kind "
            f"raster, without palette, scale_tags, grid or transform. Give resolution: full."
        )
    overview = read_overview(source, 1)
    if overview is None:
        raise ConfigError(
            f"{NORMALISE_KEY}.resolution is overview, but the raster has no overview of at most 16 MiB. Make some with "
            f"gdaladdo, or give resolution: full."
        )
    return overview


def _provisional(
    normalise: NormaliseConfig, normalisation: Normalisation, source: Source, area: RequestedArea | None
) -> Stretch:
    """Of a few windows: for a plan and a preview, which need a number and no more."""
    import torch

    values = np.concatenate([np.empty((source.bands, 0), source.dtype), *_samples(source, area)], axis=1)
    if normalisation.transform is not None:
        values = normalisation.transform(torch.from_numpy(values[:, None]).to(torch.float32)).numpy()[:, 0]
    statistics = statistics_of(measure_of(normalise, normalisation, source), values)
    pairs = statistics.pairs or ((0.0, 1.0),) * normalisation.channels
    usable = tuple(
        (first, second if (second if normalise.method == "standardise" else second - first) > 0 else first + 1.0)
        for first, second in pairs
    )
    stretch = measured_stretch(normalise, replace(statistics, pairs=usable), "the windows")
    return replace(stretch, provisional=True)


def _samples(source: Source, area: RequestedArea | None) -> Iterator[npt.NDArray[Any]]:
    """(bands, n) valid values of windows on a lattice over the raster; those that cannot be read are left out."""
    for window in lattice(source.grid.height, source.grid.width):
        try:
            pixels = source.read(window)
        except ReadError:  # the pass tells of it
            continue
        valid = pixels.valid
        if area is not None:
            valid = valid & area.read(window)
        yield pixels.data[:, valid]
