"""Options of what the network is given, and of what its channels become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.inference.class_decoding import ClassDecoding
from pipeline.models.ensemble import Ensemble, EnsembleMember
from pipeline.models.probabilities import Activation
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.option import AUTO, Option, Resolved
from pipeline.planning.options.dates import FIRST_STORES


def _input(name: str) -> Callable[[Resolved], Any]:
    """Reader of a part of the normalisation."""
    return lambda job: job.recipe.normalisation.as_dict()[name]


def _transform_sentence(job: Resolved) -> str | None:
    normalisation = job.recipe.normalisation
    if normalisation.transform is None:
        return None
    bands, channels = normalisation.transform.bands, normalisation.channels
    return (
        f"{normalisation.transform.place} changes the raw pixels first: {bands} bands give {channels} "
        f"channels, each pixel by itself"
    )


def _normalise_sentence(job: Resolved) -> str | None:
    stretch = job.recipe.normalisation.stretch
    return None if stretch is None else normalise_sentence(stretch.record, stretch.provisional)


def _activation(job: Resolved) -> str:
    """One text for what turns channels into a class, so that stores made before there was a choice keep theirs."""
    decoding: ClassDecoding = job.recipe.decoding
    if decoding.background is None:
        return _stated_activation(job)
    return f"{decoding.activation} of each class, else code {decoding.codes[decoding.background]}"


def _stated_activation(job: Resolved) -> Activation:
    """Of a network whose classes are added up its own: what is decoded are probabilities."""
    alone = _network_alone(job)
    return job.recipe.decoding.activation if alone is None or alone.activation == "auto" else alone.activation


def _frozen_activation(job: Resolved) -> str:
    """Of several networks each keeps its own, which stands beside its weights."""
    several = isinstance(job.network, Ensemble) and len(job.network.members) > 1
    return AUTO if several else _stated_activation(job)


def _temperature(job: Resolved) -> float:
    alone = _network_alone(job)
    return job.recipe.decoding.temperature if alone is None else alone.temperature


def _network_alone(job: Resolved) -> EnsembleMember | None:
    """The one network of a job whose classes are added up; None of any other job."""
    members = job.network.members if isinstance(job.network, Ensemble) else ()
    return members[0] if len(members) == 1 else None


def _map(job: Resolved) -> list[list[int]] | None:
    """Channels of each class; None where each channel is a class."""
    groups = job.network.members[0].groups if isinstance(job.network, Ensemble) else ()
    return [list(channels) for channels in groups] or None


def _map_sentence(job: Resolved) -> str | None:
    groups, class_map = _map(job), job.config.model.output.map
    if groups is None or class_map is None:
        return None
    names = [row.name for row in job.config.model.classes] if job.config.model.classes else list(class_map)
    sums = (f"{name} of {', '.join(map(str, group))}" for name, group in zip(names, groups, strict=True))
    return f"probabilities are added up over channels: {'; '.join(sums)}"


def _threshold(job: Resolved) -> float | list[float]:
    threshold = job.recipe.decoding.threshold
    return list(threshold) if isinstance(threshold, tuple) else threshold


def _temperature_sentence(job: Resolved) -> str | None:
    temperature, activation = _temperature(job), _stated_activation(job)
    return (
        None if temperature == 1 else f"logits are divided by the temperature {temperature:g} before the {activation}"
    )


MODEL_OPTIONS: tuple[Option, ...] = (
    Option(
        key="model.input.scale",
        since=FIRST_STORES,
        explanation="factor of the raw pixels, per band",
        resolved=_input("scale"),
    ),
    Option(
        key="model.input.offset",
        since=FIRST_STORES,
        explanation="summand after that, per band",
        resolved=_input("offset"),
    ),
    Option(
        key="model.input.mean",
        since=FIRST_STORES,
        explanation="mean that is subtracted after that, per band",
        resolved=_input("mean"),
    ),
    Option(
        key="model.input.std",
        since=FIRST_STORES,
        explanation="divisor after that, per band",
        resolved=_input("std"),
    ),
    Option(
        key="model.input.transform",
        since="2026-11-29 12:57",
        explanation="code that changes the raw pixels first",
        resolved=_input("transform"),
        old_default=None,
        sentence=_transform_sentence,
    ),
    Option(
        key="model.input.normalise",
        since="2026-11-30 08:00",
        explanation="numbers of the raster itself, and what they are of, applied before the factor",
        resolved=_input("normalise"),
        old_default=None,
        sentence=_normalise_sentence,
    ),
    Option(
        key="model.output.activation",
        since=FIRST_STORES,
        explanation="what turns logits into probabilities",
        resolved=_activation,
        frozen=_frozen_activation,
    ),
    Option(
        key="model.output.threshold",
        since=FIRST_STORES,
        explanation="probability at which one class ends and the next begins",
        resolved=_threshold,
    ),
    Option(
        key="model.output.temperature",
        since="2026-11-30 16:30",
        explanation="what logits are divided by before that",
        resolved=_temperature,
        old_default=1.0,
        sentence=_temperature_sentence,
    ),
    Option(
        key="model.output.map",
        since="2026-11-30 16:30",
        explanation="channels whose probabilities are added up to one class; none where each is a class",
        resolved=_map,
        old_default=None,
        sentence=_map_sentence,
    ),
    Option(
        key="model.classes.codes",
        field="model.classes",
        since=FIRST_STORES,
        explanation="value of each class in the mask",
        resolved=lambda job: list(job.recipe.decoding.codes),
    ),
)
