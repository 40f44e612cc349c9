"""What ``model`` and ``tile`` say against what the network was seen to take and to return."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import Config
from pipeline.interfaces import InputConstraints, Locality
from pipeline.planning.members import is_combined


def network_contradictions(config: Config, locality: Locality, accepts: InputConstraints) -> Iterator[str]:
    """A paragraph each; bands and classes are refused before, where the network is loaded and decoded."""
    yield from _activation(config, locality)
    yield from _sizes(config, locality, accepts)


def _activation(config: Config, locality: Locality) -> Iterator[str]:
    if is_combined(config.model):  # what is measured of several is of the mean, and each was looked at by itself
        return
    given = config.model.output.activation
    if given in ("softmax", "sigmoid") and locality.returns == "probability":
        yield (
            f"model.output.activation is {given}, but the network's graph ends in a {locality.ending}, so that it "
            f"would be taken twice. Set model.output.activation: none, or auto."
        )
    logits = not locality.returns and not locality.between
    if given == "none" and logits and "mask" in config.output.layers:
        yield (
            "model.output.activation is none, which takes what the network returns as probabilities, but for noise it "
            "returned numbers outside of 0 to 1. Set model.output.activation: auto, or softmax or sigmoid."
        )


def _sizes(config: Config, locality: Locality, accepts: InputConstraints) -> Iterator[str]:
    trained = config.model.input.size if config.model.input else None
    if locality.size is not None and trained is not None and trained != locality.size:
        yield (
            f"model.input.size is {trained} px, but the network takes images of {locality.size} px alone. Set "
            f"model.input.size: {locality.size}, or leave it out."
        )
    tile = config.tile.size
    if tile != "auto" and accepts.maximum is not None and tile > accepts.maximum:
        yield (
            f"tile.size is {tile} px, but the network takes images of at most {accepts.maximum} px. Give that or "
            f"less, or auto."
        )
