"""What ``model.input.normalise`` refuses, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import validated_config
from pipeline.errors import ConfigError


def load(normalise: dict[str, Any], **others: Any) -> Any:
    document = {
        "source": {"path": "scene.tif"},
        "model": {"kind": "torchscript", "path": "net.pt", "input": {"normalise": normalise, **others}},
        "output": {"path": "out.zarr"},
    }
    return validated_config(document, (), Path("job.yaml")).model.input.normalise


@pytest.mark.parametrize(
    ("normalise", "reason"),
    [
        ({"method": "minmax", "over": "tile"}, r"normalise\.over is 'tile': numbers of each tile would make seams"),
        ({"method": "minmax", "over": "per_patch"}, "numbers of each patch would make seams"),
        ({"method": "vahadane"}, "'fixed', 'percentile', 'minmax', 'standardise', 'macenko' or 'reinhard'"),
        ({"method": "fixed", "low": 3}, "fixed needs low and high"),
        ({"method": "fixed", "low": [1, 2], "high": [3, 4, 5]}, "low has 2 values and high has 3"),
        ({"method": "fixed", "low": 5, "high": [6, 5]}, "low 5 is not below high 5"),
        ({"method": "fixed", "low": 0, "high": 1, "over": "aoi"}, "looks at no pixel, so that over means nothing"),
        ({"method": "percentile", "low": 98, "high": 2}, "low is 98 and high is 2. Give percentages"),
        ({"method": "percentile", "high": [90, 95]}, "one low and one high for all bands"),
        ({"method": "minmax", "low": 0}, "minmax finds its own numbers, and low or high is given"),
        ({"method": "standardise", "clip": True}, "clip is for values from 0 to 1"),
        ({"method": "minmax", "over": "aoi", "resolution": "overview"}, "over: aoi needs resolution: full"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(normalise: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(normalise)


@pytest.mark.parametrize(
    ("method", "others", "reason"),
    [
        ("minmax", {"scale": 1e-4}, "scale would change what normalise has brought to its range already"),
        ("minmax", {"mean": [0.4, 1200]}, "mean is 1200, but normalise brings raw values to 0…1 first"),
        ("standardise", {"mean": 0.4, "std": 0.2}, "mean and std would change"),
    ],
    ids=str,
)
def test_a_contradiction_to_the_other_keys_is_refused(method: str, others: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load({"method": method}, **others)


def test_means_of_the_result_and_neutral_values_may_be_given() -> None:
    assert load({"method": "minmax"}, mean=[0.485, 0.456, 0.406], std=0.225).percentages == (2, 98)
    assert load({"method": "standardise"}, scale=1.0, offset=0, mean=0, std=1).method == "standardise"
    assert load({"method": "percentile", "high": 99.8}).percentages == (2, 99.8)
