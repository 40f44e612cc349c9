"""What a bundle states becomes keys of a config, with what is told beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import Statement
from pipeline.models.descriptions.monai import read_monai
from tests.models.descriptions.monai.bundles import NETWORK, bundle, inference, steps, tensor


def stated(folder: Path, **model: Any) -> Statement:
    description = read_monai(folder)
    assert description is not None
    return description.state(ModelConfig.model_validate({"path": folder, **model}))


def test_a_bundle_states_its_weights_its_steps_its_classes_and_its_hints(tmp_path: Path) -> None:
    statement = stated(bundle(tmp_path / "a", weights=("torchscript", "python")))
    assert statement.title == f"tools of a test, by {tmp_path}/a/configs/metadata.json (bundle 0.2.0 of MONAI 1.4.0)"
    assert statement.weights == "weights models/model.ts; model.kind: python takes others"
    assert (statement.kind, statement.factory, statement.args) == ("torchscript", None, {})
    assert statement.input == {"scale": 0.002, "offset": -1.0, "size": 96}
    assert (statement.output, statement.of_each_sample) == ({"activation": "softmax"}, False)
    assert (statement.channels, statement.channel_names) == (2, ("background", "tool"))
    assert [hint.partition(",")[0] for hint in statement.hints] == [
        "images of 16*n × 16*n px are stated; what is measured of the network decides",
        "its inferer slides a window of 96 × 96 px with an overlap of 0.5; what is measured decides here",
        "MONAI's readers of pictures and volumes give cols before rows",
    ]


@pytest.mark.parametrize(
    ("shape", "inferer", "size"),
    [
        ([64, 64], {"roi_size": 96}, 64),
        (["64", "64"], {}, 64),
        ([736, 480], {"roi_size": [96, 96]}, 96),
        ([736, 480], {"roi_size": [96, 64]}, None),
        (["*", "*"], {"roi_size": "$@patch"}, None),
    ],
)
def test_a_fixed_square_is_the_training_size_and_else_the_window_of_the_inferer(
    shape: list[Any], inferer: dict[str, Any], size: int | None, tmp_path: Path
) -> None:
    about, config = tensor("inputs.image", spatial_shape=shape), inference(inferer=inferer)
    assert stated(bundle(tmp_path / "a", about=about, config=config)).input.get("size") == size


def test_two_names_of_one_channel_are_its_classes(tmp_path: Path) -> None:
    names = {"0": "Background", "1": "nucleus"}
    about = tensor("outputs.pred", num_channels=1, channel_def=names)
    config = inference(network_def={**NETWORK, "out_channels": 1}, postprocessing=[])
    rows = stated(bundle(tmp_path / "a", channels=1, about=about, config=config)).classes
    assert [(row.name, row.role) for row in rows] == [("Background", "background"), ("nucleus", None)]


def test_a_step_that_is_not_done_is_left_to_a_config_that_says_what_to_do(tmp_path: Path) -> None:
    config = steps({"_target_": "Resized", "spatial_size": [736, 480]})
    config["postprocessing"] = [{"_target_": "HoVerNetInstanceMapPostProcessingd"}]
    folder = bundle(tmp_path / "a", config=config)
    with pytest.raises(ModelError, match="before the network, Resized is not done"):
        stated(folder)
    with pytest.raises(ModelError, match="of the output pred, HoVerNetInstanceMapPostProcessingd is not among"):
        stated(folder, input={"scale": 0.5})
    statement = stated(folder, input={"scale": 0.5}, output={"activation": "softmax"})
    assert (statement.input, statement.output) == ({"size": 96}, {})


def test_a_state_dict_takes_the_network_of_monai_or_a_factory_of_the_user(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a", weights=("python",))
    arguments = {"spatial_dims": 2, "in_channels": 3, "out_channels": 2, "channels": [4, 8]}
    statement = stated(folder)
    assert (statement.kind, statement.factory) == ("python", "monai.networks.nets:UNet")
    assert (statement.args, statement.code) == (arguments, None)
    assert (stated(folder, factory="a.py:b").factory, stated(folder, factory="a.py:b").args) == (None, arguments)
    with pytest.raises(ModelError, match=r"for which .* has no weights; it has models/model\.pt"):
        stated(folder, kind="onnx")


def test_a_state_dict_without_a_network_asks_for_a_factory(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a", weights=("python",), config=inference(network_def=None, network=None))
    with pytest.raises(ModelError, match=r"defines no network .* Name what builds it as model\.factory"):
        stated(folder)


def test_code_is_named_only_where_it_is_trusted(tmp_path: Path) -> None:
    network = {**NETWORK, "_target_": "scripts.net.Net"}
    folder = bundle(tmp_path / "a", weights=("python",), config=inference(network_def=network))
    reason = r"built by code: the _target_ of network_def is scripts\.net\.Net, .* --set model\.trust=true"
    with pytest.raises(ModelError, match=reason):
        stated(folder)
    trusted = stated(folder, trust=True)
    assert (trusted.factory, trusted.code) == (None, f"{folder}/configs/inference.json:network_def")
    assert stated(bundle(tmp_path / "b", weights=("python",)), trust=True).code is None
