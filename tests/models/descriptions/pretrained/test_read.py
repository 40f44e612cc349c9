"""What documents of ``save_pretrained`` state, in keys of a config."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions import read_description, with_weights_file
from pipeline.models.descriptions.foreign_entries import EIGHT_BITS
from pipeline.planning.described import with_description
from tests.models.descriptions.pretrained.folders import PROCESSOR, SMP, TRANSFORMERS, saved

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def filled(path: Path, **model: Any) -> ModelConfig:
    return with_description(ModelConfig.model_validate({"path": path, **model}))


def section(model: ModelConfig) -> dict[str, Any]:
    return {} if model.input is None else model.input.model_dump(exclude_unset=True)


def test_a_network_of_smp_has_its_arguments_and_the_numbers_of_its_encoder(tmp_path: Path) -> None:
    model = filled(saved(tmp_path / "a", SMP))
    assert (model.kind, model.arch, model.classes) == ("smp", "Unet", None)
    assert model.args == {"encoder_name": "resnet34", "in_channels": 3, "classes": 4, "activation": None}
    assert section(model) == {"scale": EIGHT_BITS, **IMAGENET}
    assert (
        "model.input.mean: [0.485, 0.456, 0.406], as segmentation_models_pytorch, for the encoder resnet34 "
        "(imagenet), has it"
    ) in model.described


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"encoder_name": "inceptionv4"}, 0.5),
        ({"encoder_name": "efficientnet-b2", "encoder_weights": "advprop"}, 0.5),
        ({"encoder_name": "mit_b0"}, 0.485),
        ({"encoder_name": "tu-small"}, 0.25),
        ({"encoder_name": "dpn68"}, "those of the encoder dpn68 \\(imagenet\\) are not known"),
        ({"encoder_name": "tu-unknown"}, "those of the encoder tu-unknown"),
        ({"encoder_weights": None}, "no pretrained encoder is named"),
        ({"in_channels": 4}, "of pictures of 3 bands"),
    ],
)
def test_numbers_that_are_not_known_are_not_guessed(
    changes: dict[str, Any], expected: float | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timm = ModuleType("timm.models")
    numbers = type("Numbers", (), {"mean": (0.25, 0.5, 0.5), "std": (1, 1, 1)})
    timm.get_pretrained_cfg = {"small": numbers}.get  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    monkeypatch.setitem(sys.modules, "timm.models", timm)
    model = filled(saved(tmp_path / "a", {**SMP, **changes}))
    if isinstance(expected, str):
        assert section(model) == {}
        with pytest.raises(AssertionError, match=f"no normalisation is stated, as .*{expected}"):
            raise AssertionError("\n".join(model.described))
    else:
        assert section(model)["mean"][0] == expected


def test_an_encoder_of_timm_without_timm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    model = filled(saved(tmp_path / "a", {**SMP, "encoder_name": "tu-small"}))
    assert any("pip install 'wholecloth[smp]'" in sentence for sentence in model.described)


@pytest.mark.parametrize(
    ("changes", "output"),
    [
        ({"activation": "sigmoid"}, {"activation": "none", "multilabel": True}),
        ({"activation": "sigmoid", "classes": 1}, {"activation": "none"}),
        ({"activation": "softmax2d"}, {"activation": "none"}),
        ({"activation": "logsoftmax"}, {"activation": "softmax"}),
        ({"activation": "identity"}, {}),
    ],
)
def test_what_ends_a_network_of_smp_decides_its_output(
    changes: dict[str, Any], output: dict[str, Any], tmp_path: Path
) -> None:
    model = filled(saved(tmp_path / "a", {**SMP, **changes}))
    assert model.output.model_dump(exclude_unset=True) == output


def test_a_network_of_transformers_has_its_arguments_steps_and_names(tmp_path: Path) -> None:
    model = filled(saved(tmp_path / "a", TRANSFORMERS, PROCESSOR))
    assert (model.kind, model.arch) == ("transformers", "SegformerForSemanticSegmentation")
    assert model.args == {"model_type": "segformer", "num_channels": 3, "hidden_sizes": [8, 16], "num_labels": 3}
    assert section(model) == {"scale": EIGHT_BITS, **IMAGENET, "size": 64}
    assert [row.name for row in model.classes or ()] == ["land", "water", "road"]
    assert model.channels == ["land", "water", "road"]
    text = "\n".join(model.described)
    assert "model.input.size: 64, as the library's preprocessor_config.json has it" in text
    assert "pictures are resized there (do_resize, size height 64, width 64), and nothing is resized here" in text
    assert "class 0 here is what they call 1" in text


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"do_rescale": False}, {**IMAGENET, "size": 64}),
        ({"do_normalize": False}, {"scale": EIGHT_BITS, "size": 64}),
        ({"size": 96, "rescale_factor": 0.5}, {"scale": 0.5, **IMAGENET, "size": 96}),
        ({"size": {"shortest_edge": 96}}, {"scale": EIGHT_BITS, **IMAGENET}),
        ({"do_resize": False}, {"scale": EIGHT_BITS, **IMAGENET}),
    ],
)
def test_steps_that_the_library_leaves_out_are_left_out(
    changes: dict[str, Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    assert section(filled(saved(tmp_path / "a", TRANSFORMERS, {**PROCESSOR, **changes}))) == keys


def test_a_processor_of_old_releases_scales_eight_bits_as_well(tmp_path: Path) -> None:
    old = {key: PROCESSOR[key] for key in ("do_normalize", "image_mean", "image_std")}
    assert section(filled(saved(tmp_path / "a", TRANSFORMERS, old))) == {"scale": EIGHT_BITS, **IMAGENET}


def test_bands_that_the_library_reverses_are_named(tmp_path: Path) -> None:
    processor = {"do_rescale": True, "do_flip_channel_order": True}
    description = read_description(saved(tmp_path / "a", TRANSFORMERS, processor))
    assert description is not None
    assert description.band_names == ("blue", "green", "red")


def test_without_a_processor_the_size_of_the_network_is_known_alone(tmp_path: Path) -> None:
    model = filled(saved(tmp_path / "a", {**TRANSFORMERS, "image_size": 128}))
    assert section(model) == {"size": 128}
    assert any(sentence.startswith("no preprocessor_config.json is there") for sentence in model.described)


@pytest.mark.parametrize(
    ("labels", "names", "channels"),
    [
        ({"0": "LABEL_0", "1": "LABEL_1"}, None, 2),
        ({"0": "screen", "1": "door", "2": "screen"}, ["screen 0", "door", "screen 2"], 3),
        ({"0": "cloud"}, ["background", "cloud"], 1),
        ({"0": "a", "2": "b"}, None, 2),
    ],
)
def test_names_of_labels_are_those_of_the_channels(
    labels: dict[str, str], names: list[str] | None, channels: int, tmp_path: Path
) -> None:
    model = filled(saved(tmp_path / "a", {**TRANSFORMERS, "id2label": labels}, PROCESSOR))
    assert model.args["num_labels"] == channels
    assert (None if model.classes is None else [row.name for row in model.classes]) == names


def test_what_the_config_gives_takes_the_place_of_what_is_stated(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", TRANSFORMERS, PROCESSOR)
    given = filled(folder, input={"mean": 0.5}, args={"hidden_sizes": [4]}, classes=[{"name": "x"}])
    assert section(given) == {"scale": EIGHT_BITS, "mean": 0.5, "std": IMAGENET["std"], "size": 64}
    assert given.args["hidden_sizes"] == [4]
    assert section(filled(folder, input={"normalise": {"method": "minmax"}})).keys() == {"normalise", "size"}


CODE = {**TRANSFORMERS, "auto_map": {"AutoModel": "modeling_own.Net"}}
BACKBONE = {"backbone_config": {"model_type": "resnet", "use_timm_backbone": True}}


@pytest.mark.parametrize(
    ("document", "processor", "reason"),
    [
        (
            CODE,
            None,
            r"names code of its own \(auto_map: modeling_own\.Net\), and no code of such a folder is executed",
        ),
        ({**TRANSFORMERS, "architectures": ["Mask2FormerForUniversalSegmentation"]}, None, "does not return a score"),
        ({**TRANSFORMERS, "architectures": []}, None, "holds no architecture"),
        ({**TRANSFORMERS, "backbone": "owner/net"}, None, "has backbone: owner/net, for which .* nothing is fetched"),
        ({**TRANSFORMERS, **BACKBONE}, None, "has use_timm_backbone: True"),
        (TRANSFORMERS, {**PROCESSOR, "image_mean": "bright"}, "image_mean is 'bright'.* Give model.input"),
        (TRANSFORMERS, {**PROCESSOR, "rescale_factor": None}, "rescale_factor is None"),
        ({**SMP, "encoder_name": "tu-hf-hub:owner/net"}, None, "'tu-hf-hub:owner/net', which is no name of an encoder"),
        ({**SMP, "activation": "tanh"}, None, "the activation 'tanh' .* Give model.output.activation"),
    ],
)
def test_what_is_not_done_is_an_error_that_names_it(
    document: dict[str, Any], processor: dict[str, Any] | None, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=reason):
        filled(saved(tmp_path / "a", document, processor))


def test_a_config_may_replace_what_is_not_done(tmp_path: Path) -> None:
    steps = saved(tmp_path / "a", TRANSFORMERS, {**PROCESSOR, "image_mean": "bright"})
    assert section(filled(steps, input={"scale": 2.0}))["scale"] == 2.0
    ends = filled(saved(tmp_path / "b", {**SMP, "activation": "tanh"}), output={"activation": "none"})
    assert ends.output.activation == "none"
    coded = filled(saved(tmp_path / "c", CODE, PROCESSOR), factory="net.py:build")
    assert (coded.kind, coded.arch, coded.args, section(coded)["size"]) == ("python", None, {}, 64)
    with pytest.raises(ModelError, match=r"model\.kind is onnx, but .* has weights for a network of transformers"):
        filled(saved(tmp_path / "d", TRANSFORMERS, PROCESSOR), kind="onnx")


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (None, "has no weights beside it"),
        ("model.safetensors.index.json", "has weights in several files"),
    ],
)
def test_weights_that_are_not_one_file_are_told(weights: str | None, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=reason):
        filled(saved(tmp_path / "a", SMP, weights=weights))


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_the_file_of_weights_is_that_of_the_library(weights: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", SMP, weights=weights)
    model = filled(folder)
    assert with_weights_file(model, 3).path == folder / weights
    with pytest.raises(ModelError, match=r"4 bands are read, but .*config\.json describes a network of 3"):
        with_weights_file(model, 4)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"net/{file.name}")
    zipped = with_weights_file(filled(tmp_path / "a.zip"), 3).path
    assert zipped is not None
    assert zipped.read_bytes() == b"weights"


@pytest.mark.parametrize("document", [{}, {"architecture": "resnet50", "num_classes": 3}, {"model_type": "bert"}])
def test_documents_of_other_libraries_are_none_of_these(document: dict[str, Any], tmp_path: Path) -> None:
    assert read_description(saved(tmp_path / "a", document)) is None
