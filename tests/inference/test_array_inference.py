from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.inference import layers
from pipeline.inference.array_decode import ARRAY_LAYERS, DecodedArrays
from pipeline.inference.array_inference import takes_arrays
from pipeline.inference.array_normalise import normalise_array
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation, Stretch, normalise
from pipeline.inference.recipe import Recipe

CPU = torch.device("cpu")
STRETCH = Stretch(shift=(100.0, 7.3), span=(3000.0, 55.1), clip=True, record={})
PLAIN = Normalisation(scale=(1e-4, 0.37), offset=(0.0, -0.1), mean=(0.21, 0.0), std=(0.013, 1.0))


def recipe(**changed: Any) -> Recipe:
    plain = Recipe(
        normalisation=PLAIN,
        decoding=ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1, 2)),
        layers=ARRAY_LAYERS,
        nodata=255,
        dtype="uint8",
        precision="float32",
        threads=1,
        taper="flat",
        blend="logits",
        overlapping=False,
        runtime="onnxruntime",
    )
    return replace(plain, **changed)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize(
    "normalisation", [PLAIN, replace(PLAIN, stretch=STRETCH), replace(PLAIN, mean=(0.0, 0.0), std=(1.0, 1.0))]
)
def test_pixels_are_normalised_bit_for_bit_as_by_torch(dtype: str, normalisation: Normalisation) -> None:
    rng = np.random.default_rng(0)
    data, valid = rng.uniform(0, 250, (2, 37, 41)).astype(dtype), rng.random((37, 41)) > 0.2
    for mask in (None, valid):
        by_torch = normalise(
            torch.from_numpy(data), None if mask is None else torch.from_numpy(mask), normalisation, CPU
        )
        assert np.array_equal(normalise_array(data, mask, normalisation), by_torch.numpy())


def test_pixels_that_lie_otherwise_in_memory_are_put_in_order_for_the_runtime() -> None:
    data = np.moveaxis(np.random.default_rng(0).uniform(0, 250, (37, 41, 2)), -1, 0)  # as of a palette
    image = normalise_array(data, None, PLAIN)
    assert image.flags.c_contiguous
    assert np.array_equal(image, normalise_array(np.ascontiguousarray(data), None, PLAIN))


@pytest.mark.parametrize(
    ("channels", "decoding"),
    [
        (3, ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1, 2))),
        (3, ClassDecoding(activation="softmax", threshold=0.5, codes=(7, 40, 2), temperature=1.7, order=(2, 0, 1))),
        (1, ClassDecoding(activation="sigmoid", threshold=0.3, codes=(0, 1))),
        (4, ClassDecoding(activation="none", threshold=0.5, codes=(0, 1, 2, 3))),
        (300, ClassDecoding(activation="softmax", threshold=0.5, codes=tuple(range(300)))),
    ],
)
@pytest.mark.parametrize("probabilities", ["uint8", "float16"])
@pytest.mark.parametrize("least", [0.0, 0.6])
def test_layers_are_those_of_torch_up_to_rounding(
    channels: int, decoding: ClassDecoding, probabilities: str, least: float
) -> None:
    job = recipe(decoding=decoding, probabilities=probabilities, min_confidence=least, dtype="uint16", nodata=65535)
    logits = np.random.default_rng(1).normal(0, 3, (channels, 64, 50)).astype(np.float32)
    if decoding.activation == "none":
        logits = np.exp(logits) / np.exp(logits).sum(0)
    logits[:, 0, 0] = logits[0, 0, 0]  # all classes tie
    expected = layers.decoded(torch.from_numpy(logits), decoding, job)
    decoded = DecodedArrays(logits, decoding)
    for name, spec in job.layer_specs.items():
        values = decoded.layer(spec, least)
        assert (values.dtype, values.shape) == (expected[name].dtype, expected[name].shape)
        apart = np.abs(values.astype(np.float64) - expected[name].astype(np.float64))
        if name == "mask":
            assert (apart > 0).mean() < (0.002 if least else 1e-9)
        else:
            assert apart.max() <= (1 if spec.dtype == "uint8" else 1e-3)
            assert (apart > 0).mean() < 0.01


def test_numbers_that_are_none_take_the_first_class_that_has_one_as_torch_does() -> None:
    logits = np.random.default_rng(2).normal(size=(3, 5, 5)).astype(np.float32)
    logits[1, 2, 2] = np.nan
    decoding = recipe().decoding
    expected = layers.decoded(torch.from_numpy(logits), decoding, recipe())["mask"]
    assert np.array_equal(DecodedArrays(logits, decoding).layer(recipe().layer_specs["mask"], 0.0), expected)


@pytest.mark.parametrize(
    "changed",
    [
        {"runtime": "torch"},
        {"runtime": "compile"},
        {"overlapping": True},
        {"augment": "flips"},
        {"batch": 4},
        {"precision": "bfloat16"},
        {"layers": ("mask", "entropy")},
        {"decoding": ClassDecoding(activation="sigmoid", threshold=0.5, codes=(1, 2, 0), background=2)},
        {"decoding": ClassDecoding(activation="sigmoid", threshold=(0.2, 0.4), codes=(0, 1, 2))},
    ],
)
def test_what_is_not_plain_is_left_to_torch(changed: dict[str, Any]) -> None:
    assert takes_arrays(recipe())
    assert not takes_arrays(recipe(**changed))
