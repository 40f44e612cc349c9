"""Each scaling of the extension, as keys that give the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.config import InputConfig
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.mlm.parts import InputPart
from pipeline.models.descriptions.mlm.scaling import scaling_keys

PIXELS = np.array([[-50.0, 0.0, 3.0, 250.0, 999.0], [1.0, 2.0, 20.0, 300.0, 4000.0]])
"""(bands, pixels)"""
Z = {"type": "z-score", "mean": 4, "stddev": 2}
M = {"type": "min-max", "minimum": 10, "maximum": 30}


def image(*scaling: Any, **changes: Any) -> InputPart:
    axes = {"shape": [-1, 2, -1, -1], "dim_order": ["batch", "channel", "height", "width"]}
    return InputPart.model_validate({"name": "a", "input": axes, "value_scaling": list(scaling) or None, **changes})


def applied(keys: dict[str, Any]) -> np.ndarray:
    """What `pipeline.inference.normalise` does by such keys."""
    section = InputConfig.model_validate(keys)

    def column(value: Any) -> np.ndarray:
        return np.reshape(np.broadcast_to(value, 2), (2, 1))

    x = PIXELS
    if section.normalise is not None:
        low, high = column(section.normalise.low), column(section.normalise.high)
        x = np.clip((x - low) / (high - low), 0, 1)
    return (x * column(section.scale) + column(section.offset) - column(section.mean)) / column(section.std)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ([Z], (PIXELS - 4) / 2),
        ([M], (PIXELS - 10) / 20),
        ([M, {"type": "min-max", "minimum": -1, "maximum": 1}], [(PIXELS[0] - 10) / 20, (PIXELS[1] + 1) / 2]),
        ([Z, M], [(PIXELS[0] - 4) / 2, (PIXELS[1] - 10) / 20]),
        ([Z, None], [(PIXELS[0] - 4) / 2, PIXELS[1]]),
        ([{"type": "offset", "value": 7}], PIXELS - 7),
        ([{"type": "scale", "value": 10}], PIXELS / 10),
        ([{"type": "scale", "value": 10}, {"type": "offset", "value": 7}], [PIXELS[0] / 10, PIXELS[1] - 7]),
        ([{"type": "clip", "minimum": 0, "maximum": 300}], np.clip(PIXELS, 0, 300)),
        (
            [{"type": "clip", "minimum": -10, "maximum": 300}, {"type": "clip", "minimum": 0, "maximum": 50}],
            [np.clip(PIXELS[0], -10, 300), np.clip(PIXELS[1], 0, 50)],
        ),
        ([{"type": None}, None], PIXELS),
        ([], PIXELS),
    ],
)
def test_keys_do_what_is_stated(scaling: list[Any], expected: Any) -> None:
    assert np.allclose(applied(scaling_keys(image(*scaling))), expected, rtol=1e-12, atol=1e-9)


def test_keys_are_named_as_the_scaling_is_and_short_where_bands_are_alike() -> None:
    assert scaling_keys(image(Z, Z)) == {"mean": 4.0, "std": 2.0}
    assert scaling_keys(image({"type": "scale", "value": 3000})) == {"scale": 1 / 3000}


STATISTICS = [{"minimum": 0, "maximum": 100, "mean": 4, "stddev": 2}, {"mean": 5, "stddev": 3}]


def test_statistics_of_older_versions_are_the_same() -> None:
    older = image(norm_type="z-score", norm_by_channel=True, statistics=STATISTICS)
    assert scaling_keys(older) == {"mean": [4.0, 5.0], "std": [2.0, 3.0]}
    assert scaling_keys(image(norm_type="min-max", norm_by_channel=False, statistics=STATISTICS)) == {"scale": 0.01}
    assert scaling_keys(image(norm_type=None, statistics=STATISTICS)) == {}


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (image({"type": "processing", "format": "gdal-calc", "expression": "A*2"}), r"processing \(A\*2, gdal-calc\)"),
        (image({"type": "clip-max", "maximum": 3}), "clip-max is not done here; min-max, clip, z-score"),
        (image({"type": "z-score", "mean": 3}), "z-score lacks its stddev"),
        (image({**Z, "stddev": 0}), "divides by 0"),
        (image({**M, "maximum": 10}), "goes from 10 to 10"),
        (image(Z, Z, Z), "3 entries for 2 bands"),
        (image({"type": "clip", "minimum": 0, "maximum": 3}, Z), "clips some bands and not others"),
        (image({"type": "clip", "minimum": 5, "maximum": 9}), "has 0 in it"),
        (image(norm_type="l2"), "norm_type l2 takes its numbers from each image"),
        (image(norm_type="z-score"), "without statistics"),
        (image(norm_type="z-score", statistics=STATISTICS, norm_clip=[3]), r"norm_clip \[3\] follows"),
    ],
)
def test_what_is_not_done_is_named(part: InputPart, reason: str) -> None:
    with pytest.raises(StepError, match=reason):
        scaling_keys(part)
