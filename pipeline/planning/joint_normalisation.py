"""What networks of an ensemble are given, where each has its own scale, offset, mean and std."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.errors import ConfigError
from pipeline.inference.normalise import Normalisation
from pipeline.planning.resolved_model import ResolvedModel


def joint_normalisation(resolved: Sequence[ResolvedModel]) -> tuple[Normalisation, list[int]]:
    """One normalisation for several networks, and where the bands of each begin in what it gives.

    Each that differs from the others has bands of its own, so that invalid pixels are 0 for every network::

        |bands of networks 1 and 3|bands of network 2|

    Raises
    ------
    ConfigError
        The networks ask for unlike pixels before scale, offset, mean and std.
    """
    normalisations = [one.normalisation for one in resolved]
    for number, one in enumerate(resolved, 1):
        _check_shared(number, one, resolved[0])
    distinct = list(dict.fromkeys((one.scale, one.offset, one.mean, one.std) for one in normalisations))
    if len(distinct) == 1:
        return normalisations[0], [0] * len(normalisations)
    if any(one.model.input is not None and one.model.input.normalise is not None for one in resolved):
        raise ConfigError(
            "model.input.normalise takes numbers of the raster, after which the networks of model.path have unlike "
            "scale, offset, mean or std. Leave normalise out, or give all of them the same."
        )
    scale, offset, mean, std = (tuple(value for numbers in distinct for value in numbers[place]) for place in range(4))
    joint = replace(normalisations[0], scale=scale, offset=offset, mean=mean, std=std, repeats=len(distinct))
    starts = [distinct.index((one.scale, one.offset, one.mean, one.std)) * len(one.scale) for one in normalisations]
    return joint, starts


def _check_shared(number: int, one: ResolvedModel, first: ResolvedModel) -> None:
    """Raise ConfigError where networks ask for unlike pixels before scale, offset, mean and std."""
    ways = [
        (
            None if resolved.model.input is None else resolved.model.input.normalise,
            resolved.normalisation.transform,
        )
        for resolved in (one, first)
    ]
    for name, value, reference in zip(("normalise", "transform"), *ways, strict=True):
        if value != reference:
            raise ConfigError(
                f"model.path lists networks that see the same pixels, but model.input.{name} of network {number} is "
                f"another than that of the first. Give one for all in model.input, or run the networks one by one."
            )
    if len(one.normalisation.scale) != len(first.normalisation.scale):
        raise ConfigError(
            f"model.path lists networks that see the same bands, but network {number} takes "
            f"{len(one.normalisation.scale)} and the first {len(first.normalisation.scale)}. Choose networks of the "
            f"same bands."
        )
