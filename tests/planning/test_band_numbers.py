"""Numbers by which the bands of several inputs are normalised."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import InputBands, ModelConfig
from pipeline.errors import ConfigError
from pipeline.planning.band_numbers import normalisation_of_inputs

BOTH = (InputBands("image", 2), InputBands("height", 1))
HEIGHT: dict[str, Any] = {"path": "b.tif", "input": {"mean": [100], "std": 40}}
IMAGE: dict[str, Any] = {"path": "a.tif"}


def model(inputs: dict[str, Any], **sections: Any) -> ModelConfig:
    return ModelConfig(kind="onnx", inputs=inputs, **sections).with_input_bands(BOTH)


def test_each_input_has_its_own_numbers_and_that_of_source_those_of_the_model() -> None:
    numbers = normalisation_of_inputs(model({"height": HEIGHT}, input={"mean": [5, 6], "scale": 2}))
    assert (numbers.mean, numbers.scale, numbers.std) == ((5, 6, 100), (2, 2, 1), (1, 1, 40))


def test_numbers_of_no_input_are_refused() -> None:
    named = model({"image": IMAGE, "height": HEIGHT}, input={"mean": 5})
    with pytest.raises(ConfigError, match=r"model\.input\.mean is of .* of every input: image, height\. Write it as"):
        normalisation_of_inputs(named)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"mean": [1, 2]}, r"model\.inputs\.height\.input\.mean has 2 values, but 1 band is read for it"),
        ({"std": 0}, r"model\.inputs\.height\.input\.std contains 0"),
    ],
)
def test_numbers_that_do_not_fit_name_their_input(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        normalisation_of_inputs(model({"image": IMAGE, "height": {**HEIGHT, "input": numbers}}))
