"""Descriptions by their path, and the weights that are taken of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError, ModelError
from pipeline.models import load
from pipeline.models.descriptions import with_weights_file
from pipeline.models.descriptions.bioimage.description import ModelDescription
from pipeline.models.descriptions.bioimage.read import read_model
from pipeline.models.descriptions.bioimage.tensors import image_input, scores_output
from tests.models.descriptions.bioimage import packages

CPU = torch.device("cpu")


def described(path: Path) -> ModelDescription:
    description = read_model(path)
    assert description is not None
    return description


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_both_formats_say_the_same(version: str, tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a", version)
    found = [described(path) for path in (folder, folder / "rdf.yaml", packages.zipped(folder))]
    for description in found:
        image, scores = description.inputs[0], description.outputs[0]
        assert (description.name, image.name, image.letters, image.channels) == ("cells of a test", "raw", "bcyx", 3)
        assert (image.axes[3].minimum, image.axes[3].step, scores.axes[2].halo) == (16, 8, 4)
        assert image.axes[3].pixel_size == (None if version == "0.4" else 0.5e-6)
        assert image.steps[0].arguments["axes"] in (["x", "y"], ["y", "x"])
        assert {*description.weights} == {"torchscript", "onnx"}
        assert image.test is not None
        assert description.package.file(image.test.source).is_file()


def test_a_shape_of_fewer_sizes_than_axes_is_refused(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a", "0.4")
    document = packages.document(folder)
    document["inputs"][0]["shape"] = [1, 3]
    packages.write(folder, document)
    with pytest.raises(ModelError, match=r"shape has 2 sizes \(\[1, 3\]\), and axes bcyx are 4"):
        read_model(folder)


def test_words_of_python_are_kept_out_of_what_is_wrong(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    document = packages.document(folder)
    document["inputs"][0]["preprocessing"] = ["magic"]
    packages.write(folder, document)
    with pytest.raises(ModelError, match=r"preprocessing\.0: Input should be a section of keys and values\."):
        read_model(folder)


def test_a_file_of_weights_is_no_description(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    assert read_model(folder / "weights.pt") is read_model(folder / "weights.onnx") is None


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_weights_of_a_zip_file_are_loaded_and_their_digest_is_compared(kind: str, tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    loaded = load(ModelConfig(path=packages.zipped(folder), kind=kind), 3, CPU)
    assert loaded.identity()["sha256"] == packages.digest(folder / packages.WEIGHTS[kind])
    with (folder / packages.WEIGHTS[kind]).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=f"states the SHA-256 .* of {packages.WEIGHTS[kind]}, and the file has"):
        load(ModelConfig(path=folder, kind=kind), 3, CPU)


def test_another_number_of_bands_is_refused_with_the_names(tmp_path: Path) -> None:
    with pytest.raises(BandsError, match=r"2 bands are read, .* of 3 \(dapi, actin, tubulin\)"):
        load(ModelConfig(path=packages.package(tmp_path / "a"), kind="onnx"), 2, CPU)


def changed(folder: Path, *keys: str | int, to: Any) -> Path:
    """The package with one value of its description replaced."""
    document = packages.document(folder)
    part: Any = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = to
    packages.write(folder, document)
    return folder


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("https://example.org/weights.pt", "would have to be fetched; nothing is. Download the whole package"),
        ("../weights.pt", "climbs out of its folder"),
        ("/etc/passwd", "has an absolute path"),
        ("other.pt", "is not beside it"),
        ("link.pt", "is a link out of its folder"),
    ],
)
def test_weights_that_lie_elsewhere_are_refused(source: str, reason: str, tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    (tmp_path / "outside.pt").write_bytes(b"x")
    (folder / "link.pt").symlink_to(tmp_path / "outside.pt")
    changed(folder, "weights", "torchscript", "source", to=source)
    with pytest.raises(ModelError, match=reason):
        load(ModelConfig(path=folder, kind="torchscript"), 3, CPU)


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("format_version",), "0.3.6", "is of format 0.3.6; formats 0.4 and 0.5"),
        (("type",), "dataset", "describes a dataset"),
        (("inputs", 0, "axes"), "bczyx", "the axes bczyx, as networks of three dimensions"),
        (("inputs", 0, "axes"), "byxc", "the axes byxc, bands last"),
        (("inputs", 0, "axes"), "btcyx", "neither batch, bands, rows nor cols"),
        (("inputs", 0, "axes"), "cyx", "the axes cyx, and batch, bands, rows, cols"),
        (("inputs", 0, "axes"), "bc?", "inputs.0.axes: String should match"),
        (("inputs", 0, "shape"), [1, 3, 64, 96], "64 rows and 96 cols"),
        (("outputs", 0, "axes"), "byxc", "the output scores has the axes byxc"),
        (("weights", "onnx", "sha256"), "12", r"weights.onnx, .*sha256: String should match"),
        (("weights", "onnx"), {}, "weights.onnx, .*source: Field required"),
        (("outputs",), [], "outputs: It has to have at least 1 item"),
    ],
)
def test_a_part_that_is_wrong_is_named(keys: tuple[str | int, ...], value: Any, reason: str, tmp_path: Path) -> None:
    folder = changed(packages.package(tmp_path / "a", "0.4"), *keys, to=value)

    def tensors() -> None:
        description = described(folder)
        image_input(description)
        scores_output(description, "auto")

    with pytest.raises(ModelError, match=reason):
        tensors()


def test_two_inputs_are_refused_unless_one_may_be_left_out(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    document = packages.document(folder)
    other = {**document["inputs"][0], "id": "prompt"}
    packages.write(folder, {**document, "inputs": [document["inputs"][0], other]})
    with pytest.raises(ModelError, match=r"2 inputs \(raw, prompt\)"):
        image_input(described(folder))
    packages.write(folder, {**document, "inputs": [document["inputs"][0], {**other, "optional": True}]})
    assert image_input(described(folder)).name == "raw"


def test_an_axis_that_is_not_there_is_named(tmp_path: Path) -> None:
    steps = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["row", "x"]}}]
    with pytest.raises(ModelError, match="names the axis row, and raw has batch, channel, y, x"):
        described(packages.package(tmp_path / "a", before=steps))


def test_the_first_output_that_is_an_image_counts_or_the_one_that_is_named(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    document = packages.document(folder)
    score = {"id": "score", "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["a"]}]}
    packages.write(folder, {**document, "outputs": [score, document["outputs"][0]]})
    description = described(folder)
    for key, expected in (("auto", ("scores", "1")), ("scores", ("scores", "scores")), ("0", ("score", "0"))):
        tensor, chosen = scores_output(description, key)
        assert tensor is not None
        assert (tensor.name, chosen) == expected
    assert scores_output(description, "elsewhere") == (None, "elsewhere")


def test_weights_beside_an_onnx_file_are_unpacked_and_compared_too(tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a")
    (folder / "weights.onnx.data").write_bytes(b"content")
    beside = packages.entry(folder, "weights.onnx.data")
    changed(folder, "weights", "onnx", "external_data", to=beside)
    with_weights = with_weights_file(ModelConfig(path=packages.zipped(folder), kind="onnx"), 3)
    assert with_weights.path is not None
    assert (with_weights.path.parent / "weights.onnx.data").read_bytes() == b"content"
    (folder / "weights.onnx.data").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"states the SHA-256 .* of weights\.onnx\.data"):
        with_weights_file(ModelConfig(path=folder, kind="onnx"), 3)
