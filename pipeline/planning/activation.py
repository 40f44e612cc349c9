"""What turns a network's answer into probabilities: decided here, for `init`, `plan` and `run` alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pipeline.config import ModelOutputConfig
from pipeline.errors import ConfigError, ModelError
from pipeline.interfaces import Locality
from pipeline.models.probabilities import Activation


def choose_activation(
    config: ModelOutputConfig, locality: Locality, stored: Mapping[str, Any] | None = None, *, has_classes: bool = True
) -> Activation:
    """The activation of a job.

    Parameters
    ----------
    config
        ``model.output`` of the config.
    locality
        What was measured of the network, and is known of what it returns.
    stored
        Fingerprint of the store, or of the frozen plan, that is gone on with: it keeps the activation that it was made
        with.
    has_classes
        Whether the network's channels mean classes. Numbers are taken as they are, unless the config names an
        activation.

    Raises
    ------
    ModelError
        The network returns class numbers, or the logarithm or a multiple of a probability where that cannot be meant.
    """
    if config.activation != "auto":
        return config.activation
    stored_activation = str((stored or {}).get("model.output.activation", "")).partition(" ")[0]
    if stored_activation in get_args(Activation):
        return stored_activation  # type: ignore[return-value]  # it is one of them
    if not has_classes:
        return "none"
    require_class_scores(config, locality)
    return "none" if locality.returns == "probability" else by_channels(config, locality.classes)


def by_channels(config: ModelOutputConfig, channels: int) -> Activation:
    """What logits take: one logit, and classes that hold side by side, a sigmoid."""
    return "sigmoid" if channels == 1 or config.multilabel else "softmax"


def require_logits(temperature: float, chosen: Activation, subject: str = "the network") -> None:
    """Raise ConfigError where a temperature is asked of what is divided by none, since no activation follows."""
    if temperature != 1 and chosen == "none":
        raise ConfigError(
            f"model.output.temperature is {temperature:g}, which logits are divided by before a softmax or a sigmoid, "
            f"but {subject} returns probabilities or numbers already (model.output.activation is none). Leave the "
            f"temperature out, or give a network that returns logits."
        )


def require_class_scores(config: ModelOutputConfig, locality: Locality) -> None:
    """Raise ModelError where what a network returns is known to be no scores.

    An activation that is named is taken at its word, but for class numbers.
    """
    if locality.returns == "label":
        raise ModelError(
            f"The network returns class numbers ({locality.ending}), not a score for each class, so that no "
            f"probability can be had of them. Let it return what "
            "its argmax or threshold is given, or export it without that step."
        )
    auto_sigmoid = config.activation == "auto" and by_channels(config, locality.classes) == "sigmoid"
    if auto_sigmoid and locality.returns in ("logarithm", "scaled"):
        description = (
            locality.ending if locality.returns == "scaled" else f"the logarithm of a probability ({locality.ending})"
        )
        raise ModelError(
            f"The network returns {description}, which is neither a logit nor a probability between 0 and "
            f"1. Let it return the logit, or the probability with "
            "model.output.activation: none; or name the activation that you mean."
        )


def remarks(
    config: ModelOutputConfig, locality: Locality, chosen: Activation, *, has_classes: bool = True
) -> Iterator[str]:
    """What is to be said of the choice, a sentence each."""
    yield from locality.remarks
    if not has_classes:
        return
    auto, certain = config.activation == "auto", locality.returns == "probability"
    if certain and chosen == "none" and auto:
        yield (
            f"the network ends in a {locality.ending}, so that it returns probabilities: "
            f"model.output.activation auto is none"
        )
    elif certain and chosen != "none":
        consequence = (
            f"GUESS: a {chosen} is taken of them once more"
            if not auto
            else f"the store keeps the {chosen} that it was made with"
        )
        yield (
            f"the network ends in a {locality.ending}, so that it returns probabilities; {consequence}. "
            f"model.output.activation: none takes them as they are"
        )
    elif locality.between and auto:
        yield (
            f"GUESS: all that the network returned for noise lies between 0 and 1, as a "
            f"{locality.between}'s does, but none was seen at its end. A {chosen} is "
            "taken of it; set model.output.activation: none if these are probabilities"
        )
    elif locality.returns == "scaled" and chosen != "none":
        yield (
            f"the network returns {locality.ending}: classes are right, and confidences are those of a {chosen} of that"
        )
