"""What turns a network's answer into probabilities: known, said, or refused."""

from __future__ import annotations

import pytest

from pipeline.config import ModelOutputConfig
from pipeline.errors import ModelError
from pipeline.interfaces import Locality
from pipeline.planning.activation import choose_activation, remarks


def known(returns: str = "", ending: str = "", between: str = "", classes: int = 1) -> Locality:
    return Locality(
        verdict="local",
        stride=1,
        radius=None,
        bands=1,
        classes=classes,
        minimum=1,
        returns=returns,
        ending=ending,
        between=between,
    )


AUTO = ModelOutputConfig()


@pytest.mark.parametrize(
    ("said", "locality", "expected"),
    [
        (AUTO, known(), "sigmoid"),
        (AUTO, known(classes=3), "softmax"),
        (ModelOutputConfig(multilabel=True), known(classes=3), "sigmoid"),
        (AUTO, known("probability", "sigmoid"), "none"),
        (AUTO, known("probability", "softmax", classes=3), "none"),
        (AUTO, known("logarithm", "log_softmax", classes=3), "softmax"),
        (AUTO, known(between="sigmoid"), "sigmoid"),
        (ModelOutputConfig(activation="sigmoid"), known("probability", "sigmoid"), "sigmoid"),
        (ModelOutputConfig(activation="none"), known(), "none"),
        (ModelOutputConfig(activation="sigmoid"), known("scaled", "100 × sigmoid + 0"), "sigmoid"),
    ],
)
def test_auto_is_none_where_probabilities_are_known_and_what_is_named_holds(
    said: ModelOutputConfig, locality: Locality, expected: str
) -> None:
    assert choose_activation(said, locality) == expected


@pytest.mark.parametrize(
    ("made", "expected"), [("softmax", "softmax"), ("sigmoid of each class, else code 0", "sigmoid"), ("none", "none")]
)
def test_a_store_keeps_the_activation_that_it_was_made_with(made: str, expected: str) -> None:
    assert (
        choose_activation(AUTO, known("probability", "softmax", classes=3), {"model.output.activation": made})
        == expected
    )
    assert choose_activation(AUTO, known("label", "argmax"), {"model.output.activation": made}) == expected


@pytest.mark.parametrize(
    ("said", "locality", "words"),
    [
        (AUTO, known("label", "argmax"), r"class numbers \(argmax\)"),
        (AUTO, known("logarithm", "logsigmoid"), "logarithm of a probability"),
        (AUTO, known("scaled", "100 × sigmoid + 0"), "100 × sigmoid"),
        (ModelOutputConfig(multilabel=True), known("logarithm", "log_softmax", classes=3), "logarithm"),
    ],
)
def test_what_is_no_score_is_refused(said: ModelOutputConfig, locality: Locality, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        choose_activation(said, locality)


@pytest.mark.parametrize(
    ("said", "locality", "chosen", "words"),
    [
        (AUTO, known("probability", "sigmoid"), "none", "ends in a sigmoid"),
        (AUTO, known("probability", "sigmoid"), "sigmoid", "the store keeps the sigmoid"),
        (ModelOutputConfig(activation="sigmoid"), known("probability", "sigmoid"), "sigmoid", "GUESS"),
        (AUTO, known(between="sigmoid"), "sigmoid", "GUESS"),
        (AUTO, known("scaled", "2 × softmax + 1", classes=3), "softmax", "classes are right"),
        (AUTO, known(), "sigmoid", ""),
        (ModelOutputConfig(activation="none"), known(between="sigmoid"), "none", ""),
    ],
)
def test_the_choice_is_told_with_its_reason(
    said: ModelOutputConfig, locality: Locality, chosen: str, words: str
) -> None:
    told = " ".join(remarks(said, locality, chosen))  # type: ignore[arg-type]  # one of the three
    assert words in told
    assert bool(told) == bool(words)
