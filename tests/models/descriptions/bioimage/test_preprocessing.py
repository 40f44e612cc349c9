"""Steps before the network: the keys of model.input do to pixels what the steps do, or the step is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.config import InputConfig
from pipeline.models.descriptions.bioimage.description import DescribedTensor, ProcessingStep, TensorAxis
from pipeline.models.descriptions.bioimage.preprocessing import input_keys
from pipeline.models.descriptions.bioimage.process_image import process_image
from pipeline.models.descriptions.description import StepError

IMAGE = np.random.default_rng(0).integers(20, 220, (1, 3, 9, 11)).astype("float64")


def tensor(*steps: tuple[str, dict[str, Any]]) -> DescribedTensor:
    return DescribedTensor(
        name="raw",
        axes=tuple(TensorAxis(letter=letter) for letter in "bcyx"),
        steps=tuple(ProcessingStep(name=name, arguments=arguments) for name, arguments in steps),
    )


def by_config(section: InputConfig) -> np.ndarray:
    """What the keys mean, where the raster is the image."""
    x, asked = IMAGE.copy(), section.normalise
    if asked is not None:
        axes = (1, 2, 3) if asked.channels == "joint" else (2, 3)
        if asked.method == "standardise":
            low, span = x.mean(axes, keepdims=True), x.std(axes, keepdims=True)
        elif asked.method == "percentile":
            low, high = np.percentile(x, asked.percentages, axis=axes, keepdims=True)
            span = high - low
        else:
            low, span = np.float64(asked.low), np.float64(asked.high) - np.float64(asked.low)
        x = (x - low) / (span + asked.eps)
        x = x.clip(0, 1) if asked.clip else x
    scale, offset, mean, std = (
        np.reshape(getattr(section, name), (1, -1, 1, 1)) for name in ("scale", "offset", "mean", "std")
    )
    return np.asarray((x * scale + offset - mean) / std)


UNIT: tuple[str, dict[str, Any]] = ("scale_linear", {"gain": 1 / 255})
SAMPLE: tuple[str, dict[str, Any]] = ("zero_mean_unit_variance", {"axes": ["y", "x"], "eps": 1e-3})
RANGE: tuple[str, dict[str, Any]] = ("scale_range", {"axes": ["y", "x"], "min_percentile": 2, "max_percentile": 97})
GIVEN: tuple[str, dict[str, Any]] = (
    "fixed_zero_mean_unit_variance",
    {"axis": "c", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.1]},
)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [UNIT],
        [("scale_linear", {"axis": "c", "gain": [1.0, 2.0, 3.0], "offset": 4.0}), ("scale_linear", {"gain": 0.5})],
        [UNIT, GIVEN],
        [UNIT, GIVEN, ("scale_linear", {"gain": 2.0, "offset": 0.5})],
        [UNIT, GIVEN, GIVEN],
        [("zero_mean_unit_variance", {"mode": "fixed", "axes": ["x", "y"], "mean": 100.0, "std": 50.0})],
        [("zero_mean_unit_variance", {"mode": "per_dataset", "axes": ["x", "y"], "mean": 100.0, "std": 50.0})],
        [("ensure_dtype", {"dtype": "float32"}), SAMPLE],
        [UNIT, SAMPLE],
        [("zero_mean_unit_variance", {})],
        [("zero_mean_unit_variance", {"axes": ["c", "y", "x"]})],
        [RANGE],
        [RANGE, ("clip", {"min": 0.0, "max": 1.0}), ("scale_linear", {"gain": 2.0, "offset": -1.0})],
        [("scale_range", {"mode": "per_sample", "axes": ["x", "y", "c"], "eps": 0.1})],
        [UNIT, ("clip", {"min": 0.2, "max": 1.0})],
        [("clip", {"min": 0.0, "max": 150.0}), UNIT],
    ],
)
def test_keys_do_what_steps_do(steps: list[tuple[str, dict[str, Any]]]) -> None:
    described = tensor(*steps)
    try:
        section = InputConfig.model_validate(input_keys(described).as_section())
    except ValueError:
        assert steps == [UNIT, ("clip", {"min": 0.2, "max": 1.0})]  # its mean lies beyond 0…1
        return
    np.testing.assert_allclose(by_config(section), process_image(described, IMAGE), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([("sigmoid", {})], "sigmoid is not done to the pixels"),
        ([("blur", {})], "blur is not among the steps"),
        ([("ensure_dtype", {"dtype": "uint8"})], "ensure_dtype uint8 cuts fractions off"),
        ([SAMPLE, RANGE], "scale_range follows another step"),
        ([SAMPLE, UNIT], "scale_linear after a mean and deviation of the image"),
        ([("scale_linear", {"gain": -1.0}), SAMPLE], "turns light to dark"),
        ([("scale_linear", {"axis": "c", "gain": [1.0, 2.0, 3.0]}), SAMPLE], "differs from band to band"),
        ([("zero_mean_unit_variance", {"axes": ["x"]})], "counts along x"),
        ([("zero_mean_unit_variance", {"mode": "fixed", "axes": ["y", "x"]})], "lacks mean or std"),
        ([("scale_range", {"reference_tensor": "other"})], "from another tensor, other"),
        ([("scale_range", {"gamma": 2})], "has an argument gamma"),
        ([SAMPLE, ("clip", {"min": 0, "max": 1})], "clip to 0…1 after numbers of the raster"),
        ([("clip", {"min_percentile": 1, "max": 1})], "has an argument min_percentile"),
        ([("scale_linear", {"axis": "y", "gain": [1.0, 2.0]})], "scale_linear along y"),
    ],
)
def test_what_is_not_done_is_named(steps: list[tuple[str, dict[str, Any]]], reason: str) -> None:
    with pytest.raises(StepError, match=reason):
        input_keys(tensor(*steps))


def test_code_of_a_package_is_named_and_not_run() -> None:
    described = DescribedTensor(name="raw", axes=(), steps=(ProcessingStep(name="custom", code="steps.py"),))
    with pytest.raises(StepError, match=r"custom is code of the package \(steps\.py\)"):
        input_keys(described)
