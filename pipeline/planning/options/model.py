"""Options of what the network is given, and of what its channels become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.inference.decode import ClassDecoding
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.option import Option, Resolved
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
        return decoding.activation
    return f"{decoding.activation} of each class, else code {decoding.codes[decoding.background]}"


def _threshold(job: Resolved) -> float | list[float]:
    threshold = job.recipe.decoding.threshold
    return list(threshold) if isinstance(threshold, tuple) else threshold


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
        frozen=lambda job: job.recipe.decoding.activation,
    ),
    Option(
        key="model.output.threshold",
        since=FIRST_STORES,
        explanation="probability at which one class ends and the next begins",
        resolved=_threshold,
    ),
    Option(
        key="model.classes.codes",
        field="model.classes",
        since=FIRST_STORES,
        explanation="value of each class in the mask",
        resolved=lambda job: list(job.recipe.decoding.codes),
    ),
)
