"""Each step before the network against MONAI's own arithmetic, written out; what is not done is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.monai.bundle_input import bundle_input_keys, turned_by_loader
from pipeline.models.descriptions.monai.read import read_bundle
from tests.models.descriptions.monai.bundles import bundle, steps

X = np.array([0.0, 100.0, 250.0, 1000.0])


def step(target: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": target, **arguments}


def keys(folder: Path, *before: dict[str, Any]) -> Any:
    read = read_bundle(bundle(folder, weights=(), config=steps(*before)))
    assert read is not None
    return bundle_input_keys(read)


def applied(section: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """What a run makes of pixels by keys of ``model.input``, without numbers of the raster."""
    normalise = section.get("normalise")
    if normalise is not None:
        assert normalise["method"] == "fixed"
        x = np.clip((x - normalise["low"]) / (normalise["high"] - normalise["low"]), 0, 1)
    linear = x * section.get("scale", 1) + section.get("offset", 0)
    return np.asarray((linear - section.get("mean", 0)) / section.get("std", 1))


RANGE = step("ScaleIntensityRanged", a_min=100, a_max=500, b_min=-1, b_max=1)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([RANGE], (X - 100) / 400 * 2 - 1),
        ([{**RANGE, "clip": True}], np.clip((X - 100) / 400 * 2 - 1, -1, 1)),
        ([step("ScaleIntensityRange", a_min=0, a_max=50)], X / 50),
        ([step("monai.transforms.ScaleIntensityRangeDict", a_min=0, a_max=50, b_min=0, b_max=1)], X / 50),
        ([step("NormalizeIntensityd", subtrahend=20.0, divisor=4.0)], (X - 20) / 4),
        ([step("NormalizeIntensityd", subtrahend=20.0, divisor=0.0)], X - 20),
        ([RANGE, step("NormalizeIntensityd", subtrahend=0.5, divisor=0.25)], ((X - 100) / 200 - 1.5) / 0.25),
        ([step("ScaleIntensityd", minv=None, maxv=None, factor=0.5)], X * 1.5),
        ([step("CastToTyped", dtype="$torch.float32"), step("ToTensord"), step("EnsureTyped", device="$x")], X),
        ([step("ScaleIntensityd", keys="label")], X),
        ([step("ScaleIntensityd", _disabled_=True)], X),
        ([step("Compose", transforms=[RANGE])], (X - 100) / 400 * 2 - 1),
    ],
)
def test_steps_with_numbers_are_done_as_monai_does_them(
    before: list[dict[str, Any]], expected: np.ndarray, tmp_path: Path
) -> None:
    section = keys(tmp_path / "a", *before).as_section()
    np.testing.assert_allclose(applied(section, X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("before", "section"),
    [
        (step("NormalizeIntensityd"), {"normalise": {"method": "standardise", "channels": "joint"}}),
        (step("NormalizeIntensityd", channel_wise=True), {"normalise": {"method": "standardise", "channels": "each"}}),
        (step("ScaleIntensityd"), {"normalise": {"method": "minmax", "channels": "joint"}}),
        (
            step("ScaleIntensityd", minv=-1, maxv=1, channel_wise=True),
            {"normalise": {"method": "minmax", "channels": "each"}, "mean": 0.5, "std": 0.5},
        ),
        (
            step("ScaleIntensityRangePercentilesd", lower=1, upper=99, b_min=0, b_max=1, clip=True),
            {"normalise": {"method": "percentile", "channels": "joint", "low": 1.0, "high": 99.0, "clip": True}},
        ),
    ],
)
def test_steps_of_each_image_become_numbers_of_the_raster(
    before: dict[str, Any], section: dict[str, Any], tmp_path: Path
) -> None:
    made = keys(tmp_path / "a", before)
    assert (made.as_section(), made.per_sample) == (section, True)


def test_numbers_of_bands_are_lists(tmp_path: Path) -> None:
    listed = step("NormalizeIntensityd", subtrahend=[1, 2, 3], divisor=[4, 5, 0], channel_wise=True)
    assert keys(tmp_path / "a", listed).as_section() == {"mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 1.0]}


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([step("Spacingd", pixdim=[1, 1])], "Spacingd is not done: .*source.grid.resolution"),
        ([step("Orientationd", axcodes="RA")], "Orientationd is not done: it turns images"),
        ([step("Resized", spatial_size=[736, 480])], "Resized is not done: it brings images to one size"),
        ([step("AsChannelLastd")], "AsChannelLastd is not done: it puts bands last"),
        ([step("Lambdad", func="$lambda x: x")], "Lambdad is not done: it is code"),
        ([step("AddClickSignalsd")], r"AddClickSignalsd is not among the steps that are done here \(CastToType,"),
        ([step("scripts.steps.ScaleIntensityd")], "scripts.steps.ScaleIntensityd is not among"),
        ([step("NormalizeIntensityd", nonzero=True)], "nonzero leaves pixels of 0 out"),
        ([step("NormalizeIntensityd", subtrahend=1.0)], "takes one of subtrahend and divisor from the image"),
        ([step("ScaleIntensityRanged", a_min=1, a_max=1)], "an a_min that is its a_max"),
        ([step("ScaleIntensityRanged", a_min=0, a_max="$2**8")], r"has a_max \$2\*\*8, which is an expression"),
        ([step("ScaleIntensityRanged", a_min=0)], "an argument a_max that cannot be used"),
        ([step("ScaleIntensityRanged", a_min=0, a_max=1, gamma=2)], "an argument gamma that cannot be used"),
        ([step("ScaleIntensityRanged", a_min=0, a_max=1, clip=True)], "with clip is done here between"),
        ([step("CastToTyped", dtype="uint8")], "CastToTyped to uint8 cuts fractions off"),
        ([step("ScaleIntensityd"), step("NormalizeIntensityd")], "follows another step that takes its numbers"),
        (["$@other"], "steps are given by @other, which is nowhere in the document"),
        (["$make()"], r"steps are given by \$make\(\), which is an expression"),
    ],
)
def test_a_step_that_is_not_done_is_named_with_its_reason(before: list[Any], reason: str, tmp_path: Path) -> None:
    config = steps()
    config["preprocessing"] = [{"keys": "image", **one} if isinstance(one, dict) else one for one in before]
    read = read_bundle(bundle(tmp_path / "a", weights=(), config=config))
    assert read is not None
    with pytest.raises(StepError, match=reason):
        bundle_input_keys(read)


@pytest.mark.parametrize(
    ("loader", "turned"),
    [
        (step("LoadImaged"), True),
        (step("LoadImaged", reader="PILReader"), True),
        (step("LoadImaged", reader="monai.data.WSIReader"), False),
        (step("LoadImaged", reverse_indexing=False), False),
        (step("EnsureTyped"), False),
    ],
)
def test_readers_that_give_cols_first_are_told(loader: dict[str, Any], turned: bool, tmp_path: Path) -> None:
    read = read_bundle(bundle(tmp_path / "a", weights=(), config=steps(loader)))
    assert read is not None
    assert turned_by_loader(read) is turned
