"""Steps after the network as an activation and a threshold."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.descriptions.bioimage.description import DescribedTensor, ProcessingStep, TensorAxis
from pipeline.models.descriptions.bioimage.postprocessing import output_keys
from pipeline.models.descriptions.description import StepError


def tensor(*steps: tuple[str, dict[str, Any]], channels: int = 1, **more: Any) -> DescribedTensor:
    axes = tuple(TensorAxis(letter=letter, size=channels if letter == "c" else None) for letter in "bcyx")
    return DescribedTensor(
        name="y", axes=axes, steps=tuple(ProcessingStep(name=name, arguments=kw) for name, kw in steps), **more
    )


@pytest.mark.parametrize(
    ("described", "section"),
    [
        (tensor(), {}),
        (tensor(range=(0.0, 1.0)), {"activation": "none"}),
        (tensor(("sigmoid", {})), {"activation": "sigmoid"}),
        (tensor(("sigmoid", {}), channels=2), {"activation": "sigmoid", "multilabel": True}),
        (tensor(("softmax", {"axis": "c"}), channels=2), {"activation": "softmax"}),
        (
            tensor(("sigmoid", {}), ("binarize", {"threshold": 0.3}), ("ensure_dtype", {"dtype": "uint8"})),
            {"activation": "sigmoid", "threshold": 0.3},
        ),
        (tensor(("binarize", {"threshold": 0.3})), {"activation": "none", "threshold": 0.3}),
        (tensor(("binarize", {"threshold": 0.0})), {"activation": "sigmoid", "threshold": 0.5}),
        (
            tensor(("sigmoid", {}), ("binarize", {"axis": "c", "threshold": [0.3, 0.6]}), channels=2),
            {"activation": "sigmoid", "multilabel": True, "threshold": [0.3, 0.6]},
        ),
    ],
)
def test_steps_become_keys(described: DescribedTensor, section: dict[str, Any]) -> None:
    assert output_keys(described).as_section() == section


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (tensor(("scale_mean_variance", {})), "scale_mean_variance is not among the steps"),
        (tensor(("zero_mean_unit_variance", {})), "is not done to what a network returns"),
        (tensor(("sigmoid", {}), ("sigmoid", {})), "sigmoid follows another step"),
        (tensor(("sigmoid", {}), ("binarize", {"threshold": 2})), "which lie between 0 and 1"),
        (tensor(("softmax", {}), ("binarize", {"threshold": 0.5}), channels=2), "binarize after softmax"),
        (tensor(("softmax", {"axis": "x"}), channels=2), "softmax along x"),
        (tensor(("clip", {"min": 0, "max": 1})), "clip changes scores"),
        (tensor(("ensure_dtype", {"dtype": "uint8"})), "cuts the fractions of scores off"),
        (tensor(is_label=True), "names of classes"),
    ],
)
def test_what_is_not_done_is_named(described: DescribedTensor, reason: str) -> None:
    with pytest.raises(StepError, match=reason):
        output_keys(described)
