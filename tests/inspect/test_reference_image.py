"""The test image of a description comes out, or the mismatch is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.inspect.reference_image import NO_REFERENCE_IMAGE, ImageComparison, compare_images
from pipeline.models import load
from pipeline.models.descriptions import read_description
from tests import runs
from tests.models.descriptions.bioimage import packages
from tests.models.descriptions.bioimage.packages import package

CPU = torch.device("cpu")


def compared(folder: Path, kind: str = "torchscript", room: int = 2**30) -> ImageComparison:
    description, model = read_description(folder), ModelConfig(path=folder, kind=kind)
    assert description is not None
    network = load(model, 3, CPU)
    case = description.reference_case(model, network.key)
    return NO_REFERENCE_IMAGE if case is None else compare_images(case, network, CPU, 100.0, room)


def off_by(difference: float, share: float = 1.0) -> np.ndarray:
    expected = packages.answer(packages.standardised(packages.image()))
    expected.reshape(-1)[: int(share * expected.size)] += difference
    return expected


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_the_image_comes_out_by_its_own_statistics(version: str, kind: str, tmp_path: Path) -> None:
    result = compared(package(tmp_path / "a", version), kind)
    assert result.passed
    assert "as the description says" in result.text
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-5


def tolerance(**values: Any) -> dict[str, Any]:
    return {"config": {"bioimageio": {"reproducibility_tolerance": [values]}}}


@pytest.mark.parametrize(
    ("expected", "changes", "passed"),
    [
        (off_by(0.01), {}, False),
        (off_by(0.01), tolerance(absolute_tolerance=0.02), True),
        (off_by(0.01), tolerance(absolute_tolerance=0.02, weights_formats=["onnx"]), False),
        (off_by(0.01), tolerance(absolute_tolerance=0.02, output_ids=["other"]), False),
        (off_by(0.01, 0.01), {}, False),
        (off_by(0.01, 0.01), tolerance(mismatched_elements_per_million=20_000), True),
        (off_by(float("nan")), {}, False),
        (np.zeros((1, 1, 8, 8)), {}, False),
    ],
)
def test_what_is_allowed_is_what_the_description_says(
    expected: np.ndarray, changes: dict[str, Any], passed: bool, tmp_path: Path
) -> None:
    result = compared(package(tmp_path / "a", expected=expected, **changes))
    assert result.passed is passed
    assert ("MISMATCH" in result.text) is not passed


def test_an_image_too_large_for_the_memory_is_not_run(tmp_path: Path) -> None:
    result = compared(package(tmp_path / "a"), room=90_000)
    assert (result.passed, "execution.memory allows 88 KiB" in result.text) == (None, True)


def test_a_file_that_is_no_image_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", "0.4")
    np.save(folder / "test_input.npy", np.array([{"a": os.getcwd}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="cannot be read as a file of numpy"):
        compared(folder)
    np.save(folder / "test_input.npy", np.zeros((3, 8, 8)))
    with pytest.raises(ModelError, match=r"float64 of shape \(3, 8, 8\), and raw has the axes bcyx"):
        compared(folder)


def test_a_test_image_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = package(tmp_path / "a")
    np.save(folder / "test_output.npy", off_by(0.1))
    with pytest.raises(ModelError, match=r"states the SHA-256 .* of test_output\.npy"):
        compared(folder)


@pytest.mark.nightly("jobs")
def test_inspect_prints_the_comparison_and_ends_with_2_where_it_fails(tmp_path: Path) -> None:
    from tests import scenes

    scenes.scene(tmp_path / "scene.tif")
    package(tmp_path / "a")
    package(tmp_path / "b", expected=off_by(0.5))
    for name, code in (("a", 0), ("b", 2)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"source: {{path: scene.tif}}\nmodel: {{path: {name}}}\noutput: {{path: {name}.zarr}}\n")
        found, out, err = runs.wait(runs.start("inspect", path))
        assert found == code, err
        assert "\ntest image  " in out
        assert ("does not come out: MISMATCH" in err) is (code == 2)
