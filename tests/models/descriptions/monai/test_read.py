"""A bundle is found wherever it lies, and what its metadata lack or contradict is one paragraph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.monai import read_monai
from pipeline.models.descriptions.package import find_package
from pipeline.models.weights.file_type import detect_file_type
from tests.models.descriptions.monai import bundles
from tests.models.descriptions.monai.bundles import bundle, inference, metadata, network, tensor, zipped


def embedded(path: Path, **files: dict[str, Any]) -> Path:
    """A TorchScript file with documents in it, as MONAI's ``ckpt_export`` writes one."""
    script = torch.jit.script(network())
    torch.jit.save(script, str(path), _extra_files={f"{name}.json": json.dumps(file) for name, file in files.items()})
    return path


def test_a_folder_its_metadata_and_a_zip_file_of_it_are_one_bundle(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "tools")
    for path in (folder, folder / "configs/metadata.json", zipped(folder)):
        model = read_monai(path)
        assert model is not None
        assert (model.path, model.bands, model.band_names) == (path, 3, ("R", "G", "B"))
        weights = model.weights_file(ModelConfig(path=path))
        assert weights.read_bytes() == (folder / "models/model.ts").read_bytes()


def test_all_files_of_a_zip_file_are_unpacked_where_code_is_to_find_them(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "tools")
    package = find_package(zipped(folder), ("configs/metadata.json",))
    assert package is not None
    assert sorted(path.relative_to(package.folder()) for path in package.folder().rglob("*.*")) == sorted(
        path.relative_to(folder) for path in folder.rglob("*.*")
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_file_with_its_metadata_is_a_bundle_and_any_other_is_none(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.ts", metadata=metadata(), inference=inference())
    model = read_monai(path)
    assert model is not None
    statement = model.state(ModelConfig(path=path))
    assert (statement.kind, statement.input["offset"], model.weights_file(ModelConfig(path=path))) == (
        "torchscript",
        -1.0,
        path,
    )
    for other in (embedded(tmp_path / "b.ts"), embedded(tmp_path / "c.ts", metadata={"name": "of another tool"})):
        assert detect_file_type(other) == "a TorchScript network"
        assert read_monai(other) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_config_inside_the_weights_that_is_missing_leaves_the_steps_open(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.ts", metadata=metadata())
    model = read_monai(path)
    assert model is not None
    with pytest.raises(ModelError, match=r"the steps are not known, since there is no inference\.json .* Give model"):
        model.state(ModelConfig(path=path))
    given = ModelConfig.model_validate({"path": path, "input": {"scale": 0.01}})
    assert model.state(given).input == {}


@pytest.mark.parametrize(
    ("about", "config", "reason"),
    [
        ({"name": "x"}, None, "network_data_format: Field required"),
        ({**metadata(), "network_data_format": {"inputs": {}, "outputs": {}}}, None, "inputs: Dictionary should have"),
        (tensor("inputs.image", spatial_shape=None), None, "lacks network_data_format.inputs.image.spatial_shape"),
        (tensor("inputs.image", spatial_shape=[96, 96, 96]), None, r"three dimensions \(spatial_shape 96 × 96 × 96"),
        (tensor("inputs.image", spatial_shape=[96]), None, "spatial_shape 96, and rows and cols are needed"),
        (tensor("outputs.pred", spatial_shape=[1, 1]), None, "one answer for an image"),
        (tensor("outputs.pred", spatial_shape=[64, 64, 64]), None, "three dimensions"),
        (
            metadata(),
            inference(network_def={**bundles.NETWORK, "spatial_dims": 3}),
            r"three dimensions \(spatial_dims 3 of network_def\)",
        ),
        (
            tensor("inputs.image", num_channels=4),
            None,
            r"states 4 bands .* and configs/inference\.json builds a network of 3 \(in_channels\)",
        ),
        (tensor("outputs.pred", num_channels=5), None, r"states 5 channels .* a network of 2 \(out_channels\)"),
        (tensor("outputs.pred", channel_def={"0": "a", "1": "b", "2": "c"}), None, "names 3 .*Give model.classes"),
        (metadata(), {"network_def": {}}, r"since configs/inference\.json has no section preprocessing"),
        (
            metadata(),
            {"preprocessing": "%train.json#steps"},
            "steps are given by %train.json#steps, which is a part of",
        ),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_one_paragraph(
    about: dict[str, Any], config: dict[str, Any] | None, reason: str, tmp_path: Path
) -> None:
    folder = bundle(tmp_path / "a", about=about, config=config)
    with pytest.raises(ModelError, match=reason) as raised:
        read_monai(folder).state(ModelConfig(path=folder))  # type: ignore[union-attr]
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)


@pytest.mark.parametrize(
    ("place", "several", "reason"),
    [("inputs", ("image", "clicks"), r"2 inputs \(image, clicks\)"), ("outputs", ("a", "b"), "Set model.output.key")],
)
def test_several_inputs_are_refused_and_of_several_outputs_one_is_named(
    place: str, several: tuple[str, str], reason: str, tmp_path: Path
) -> None:
    about = metadata()
    (one,) = about["network_data_format"][place].values()
    about["network_data_format"][place] = dict.fromkeys(several, one)
    folder = bundle(tmp_path / "a", about=about)
    model = read_monai(folder)
    assert model is not None
    with pytest.raises(ModelError, match=reason):
        model.state(ModelConfig(path=folder))
    if place == "outputs":
        named = model.state(ModelConfig.model_validate({"path": folder, "output": {"key": "b"}}))
        assert (named.channel_names, named.output) == (("background", "tool"), {"activation": "softmax"})


def test_a_bundle_without_weights_says_which_there_may_be_and_where_they_come_from(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a", weights=())
    with pytest.raises(ModelError, match=r"none of models/model\.ts, .*download_large_files"):
        read_monai(folder).state(ModelConfig(path=folder))  # type: ignore[union-attr]


def test_yaml_is_read_as_json_is_and_a_broken_document_is_named(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a")
    (folder / "configs/inference.json").rename(folder / "configs/inference.yaml")  # all JSON is YAML
    model = read_monai(folder)
    assert model is not None
    assert model.state(ModelConfig(path=folder)).input["scale"] == 0.002
    (folder / "configs/metadata.json").write_text("{")
    with pytest.raises(ModelError, match=r"metadata\.json is not valid JSON"):
        read_monai(folder)
