"""Steps after the network become an activation, a threshold and how classes exclude each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.monai.bundle_output import bundle_output_keys
from pipeline.models.descriptions.monai.read import read_bundle
from tests.models.descriptions.monai.bundles import after, bundle

SIGMOID = {"_target_": "Activationsd", "sigmoid": True}
SOFTMAX = {"_target_": "Activations", "softmax": True}
ARGMAX = {"_target_": "AsDiscreted", "argmax": True, "to_onehot": 2}
SAVE = {"_target_": "SaveImaged", "output_dir": "$@bundle_root + '/eval'"}


def half(threshold: float) -> dict[str, Any]:
    return {"_target_": "AsDiscreted", "threshold": threshold}


def section(folder: Path, channels: int, *steps: dict[str, Any]) -> dict[str, Any]:
    read = read_bundle(bundle(folder, weights=(), config=after(*steps)))
    assert read is not None
    return bundle_output_keys(read, "scores", channels).as_section()


@pytest.mark.parametrize(
    ("channels", "steps", "expected"),
    [
        (2, [SOFTMAX, ARGMAX, SAVE], {"activation": "softmax"}),
        (2, [ARGMAX], {}),
        (1, [SIGMOID, half(0.4)], {"activation": "sigmoid", "threshold": 0.4}),
        (3, [SIGMOID, half(0.5)], {"activation": "sigmoid", "threshold": 0.5, "multilabel": True}),
        (3, [SIGMOID, ARGMAX], {"activation": "sigmoid"}),
        (1, [half(0.3)], {"activation": "none", "threshold": 0.3}),
        (1, [half(0.0)], {"activation": "sigmoid", "threshold": 0.5}),
        (1, [{**SIGMOID, "sigmoid": [True, False]}], {"activation": "sigmoid"}),
        (2, [{**SIGMOID, "keys": "label"}], {}),
        (2, [{"_target_": "EnsureTyped"}, {"_target_": "Invertd", "transform": "@preprocessing"}], {}),
    ],
)
def test_steps_after_the_network_become_keys(
    channels: int, steps: list[dict[str, Any]], expected: dict[str, Any], tmp_path: Path
) -> None:
    assert section(tmp_path / "a", channels, *steps) == expected


@pytest.mark.parametrize(
    ("channels", "steps", "reason"),
    [
        (2, [{"_target_": "HoVerNetInstanceMapPostProcessingd"}], "HoVerNetInstanceMapPostProcessingd is not among"),
        (2, [SOFTMAX, {"_target_": "KeepLargestConnectedComponentd"}], "KeepLargestConnectedComponentd is not among"),
        (2, [SIGMOID, SOFTMAX], "follows another step that makes probabilities"),
        (2, [{**SIGMOID, "softmax": True}], "asks for a sigmoid and a softmax"),
        (2, [{**SOFTMAX, "other": "$torch.tanh"}], r"has other \$torch\.tanh, which is an expression"),
        (2, [SOFTMAX, half(0.5)], "after softmax would give pixels several classes or none"),
        (1, [ARGMAX], "likeliest of one channel"),
        (2, [{**ARGMAX, "threshold": 0.5}], "a threshold beside argmax"),
        (1, [{**half(0.5), "rounding": "torchrounding"}], "an argument rounding that cannot be used"),
    ],
)
def test_what_makes_another_mask_is_named(
    channels: int, steps: list[dict[str, Any]], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=reason):
        section(tmp_path / "a", channels, *steps)
