from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.sources.validity.nodata import nodata_interval
from tests import scenes
from tests.sources.validity.test_validity import everything, notes


@pytest.mark.parametrize(
    ("value", "dtype", "numbers", "marked"),
    [
        (-9999, "uint8", [0, 241], [False, False]),
        (0.5, "int16", [0, 1], [False, False]),
        (-3.4e38, "int16", [0, -32768], [False, False]),
        (255.0, "uint8", [255, 254], [True, False]),
        (2**53 + 1, "int64", [2**53, 2**53 + 1], [False, True]),
        (0.1, "float32", [0.1, 0.1001], [True, False]),
        (-9999.9, "float32", [-9999.9, -9999.8], [True, False]),
        (-3.4e38, "float32", [np.finfo("float32").min, -3.3e38], [True, False]),
        (-3.4028235e38, "float64", [-3.4028234663852886e38, -1e37], [True, False]),
        (1e20, "float32", [1e20, 1.0001e20], [True, False]),
        (0.0, "float32", [0.0, 1e-38], [True, False]),
    ],
)
def test_a_nodata_is_what_its_dtype_makes_of_it(
    value: float, dtype: str, numbers: list[float], marked: list[bool]
) -> None:
    known = nodata_interval(value, np.dtype(dtype))
    assert (known.marks(np.array(numbers, dtype)).tolist() if known else [False] * len(numbers)) == marked


def test_nan_is_no_nodata_of_its_own() -> None:
    assert nodata_interval(math.nan, np.dtype("float32")) is None
    assert nodata_interval(math.nan, np.dtype("uint8")) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ""),
        ({"nodata": -9999}, "source.nodata is -9999, which no uint8 can be"),
        ({"nodata": "nan"}, "source.nodata is nan, which no uint8 can be"),
        ({"nodata": 0}, ""),
    ],
)
def test_a_nodata_that_no_pixel_can_have_is_told(tmp_path: Path, said: dict[str, Any], words: str) -> None:
    path = scenes.write(tmp_path / "a.tif", np.ones((1, 2, 2), "uint8"))
    assert notes(path, **said).startswith(words)
    assert bool(notes(path, **said)) == bool(words)
    assert everything(path, **said).valid.all()
