"""Networks of several inputs as networks of one image: names, bands, sizes, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from pipeline.config import InputBands, ModelConfig
from pipeline.errors import BandsError, ModelError
from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.report.inputs import input_facts, input_sentences
from pipeline.interfaces import Locality
from pipeline.models import load
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from pipeline.models.several_inputs.model_signature import read_signature
from pipeline.models.several_inputs.split_input import SplitInput, by_name, split_bands
from pipeline.models.torch_compile import why_not_compilable
from pipeline.planning.described import with_description
from tests import networks, pairs

CPU = torch.device("cpu")
BOTH = (InputBands("image", 3), InputBands("height", 1))


def opened(model: dict[str, Any], *inputs: tuple[str, int]) -> Loaded:
    bands = tuple(InputBands(*entry) for entry in inputs) or BOTH
    config = ModelConfig(**model).with_input_bands(bands)
    return load(config, sum(entry.bands for entry in bands), CPU)


@pytest.mark.parametrize(
    "form", ["torchscript", "onnx", "python", pytest.param("exported", marks=pytest.mark.nightly("networks"))]
)
def test_each_form_gives_each_input_its_bands_whatever_their_order(tmp_path: Path, form: str) -> None:
    model = pairs.FORMS[form](tmp_path)
    image, height = torch.rand(2, 3, 24, 16), torch.rand(2, 1, 24, 16)
    if form == "exported":  # of a batch of one
        image, height = image[:1], height[:1]
    with torch.no_grad():
        expected = pairs.lively()(image, height)
    forth, back = opened(model), opened(model, ("height", 1), ("image", 3))
    assert torch.allclose(forth(torch.cat([image, height], 1)), expected, atol=1e-6)
    assert torch.allclose(back(torch.cat([height, image], 1)), expected, atol=1e-6)
    assert forth.inputs == BOTH
    assert forth.identity() != back.identity()
    signature = read_signature(ModelConfig(**model))
    assert signature is not None
    assert signature.names == ("image", "height")


def test_a_mapping_and_an_input_that_may_lack_are_taken_by_name(tmp_path: Path) -> None:
    x = torch.rand(1, 4, 16, 16)
    expected = opened(pairs.as_code(tmp_path))(x)
    assert torch.equal(opened(pairs.as_code(tmp_path, "Mapped"))(x), expected)
    assert torch.equal(opened(pairs.as_code(tmp_path, "Mirrored"))(x), expected)
    mirrored = read_signature(ModelConfig(**pairs.as_code(tmp_path, "Mirrored")))
    assert mirrored is not None
    assert (mirrored.required, mirrored.optional) == (("height", "image"), ("snow",))


@pytest.mark.nightly("networks")
def test_a_program_of_one_mapping_has_the_names_of_its_keys(tmp_path: Path) -> None:
    images = {"image": torch.rand(1, 3, 16, 16), "height": torch.rand(1, 1, 16, 16)}
    program = torch.export.export(pairs.lively(pairs.Mapped), (images,))
    torch.export.save(program, tmp_path / "a.pt2")
    network = opened({"kind": "exported", "path": tmp_path / "a.pt2"}, ("height", 1), ("image", 3))
    with torch.no_grad():
        expected = pairs.lively()(**images)
    assert torch.allclose(network(torch.cat([images["height"], images["image"]], 1)), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["torchscript", "onnx", "python"])
def test_several_inputs_with_one_source_are_told_by_name(tmp_path: Path, form: str) -> None:
    with pytest.raises(
        ModelError, match=r"2 inputs \(image, height\).*under model\.inputs.*: image: \{path: FILE\}, h"
    ):
        load(ModelConfig(**pairs.FORMS[form](tmp_path)), 4, CPU)


@pytest.mark.parametrize("form", ["torchscript", "onnx", "python"])
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((("image", 3), ("heigth", 1)), r"names heigth, but .* takes the inputs image, height\. Rename it to height\."),
        ((("image", 3),), r"Add the source of each that lacks: model\.inputs\.height: \{path: FILE\}, or give it as"),
    ],
)
def test_other_names_than_the_networks_are_refused(
    tmp_path: Path, form: str, inputs: tuple[tuple[str, int], ...], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        opened(pairs.FORMS[form](tmp_path), *inputs)


@pytest.mark.parametrize("form", ["torchscript", "onnx", "python"])
def test_other_bands_are_refused_with_the_input_that_takes_them(tmp_path: Path, form: str) -> None:
    with pytest.raises(BandsError, match=r"2 bands are read for the input image, but .* takes 3 there") as raised:
        opened(pairs.FORMS[form](tmp_path), ("image", 2), ("height", 1))
    assert (raised.value.expected, raised.value.input_name) == (3, "image")


def test_a_network_of_one_input_takes_no_names_of_several(tmp_path: Path) -> None:
    networks_of_one = {"kind": "fcn8s", "path": tmp_path / "a.safetensors"}
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"networks of kind fcn8s, .* take one image"):
        opened(networks_of_one)


def onnx_pair(path: Path, image: list[Any], other: list[Any]) -> dict[str, Any]:
    """An ONNX file that adds the means of the bands of two inputs."""
    nodes = [
        helper.make_node("ReduceMean", [name], [f"{name}_mean"], axes=[1], keepdims=1) for name in ("image", "other")
    ]
    add = helper.make_node("Add", ["image_mean", "other_mean"], ["y"])
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("image", image), ("other", other))]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "h", "w"])
    graph = helper.make_graph([*nodes, add], "pair", values, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return {"kind": "onnx", "path": path}


def test_metadata_of_deepness_state_no_numbers_and_no_bands_of_several_inputs(tmp_path: Path) -> None:
    model = onnx_pair(tmp_path / "a.onnx", ["n", 3, "h", "w"], ["n", 1, "h", "w"])
    file = onnx.load(tmp_path / "a.onnx")
    helper.set_model_props(file, {"model_type": '"Segmentor"', "tile_size": "256", "standardization_mean": "[1, 2, 3]"})
    onnx.save(file, tmp_path / "a.onnx")
    sources = {"image": {"path": "a.tif"}, "other": {"path": "b.tif"}}
    described = with_description(ModelConfig(**model, inputs=sources))
    assert described.input is not None
    assert described.input.model_fields_set == {"size"}
    assert opened(model, ("image", 3), ("other", 1)).bands == 4


def test_sizes_are_those_that_all_inputs_take(tmp_path: Path) -> None:
    model = onnx_pair(tmp_path / "a.onnx", [1, 3, 64, 64], ["n", 1, "h", "w"])
    accepts = opened(model, ("image", 3), ("other", 1)).accepts
    assert (accepts.minimum, accepts.maximum, accepts.batch) == (64, 64, 1)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ([1, 1, 32, 32], r"inputs of unlike sizes: image from 64 to 64 px .*; other from 32 to 32 px"),
        ([2, 1, 64, 64], "unlike sizes"),
        ([1, 5], r"takes \(1, 5\) as its input other; an input must take images"),
    ],
)
def test_inputs_that_cannot_see_the_same_pixels_are_refused(tmp_path: Path, other: list[Any], words: str) -> None:
    model = onnx_pair(tmp_path / "a.onnx", [1, 3, 64, 64], other)
    with pytest.raises(ModelError, match=words):
        opened(model, ("image", 3), ("other", 1))


class Sum(nn.Module):
    """3×3 pixels of one input, and 5×5 of the other."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.first, self.norm, self.second = networks.conv(2, 4), norm, networks.conv(1, 4, 5)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.norm(self.first(first)) + self.second(second)


def loaded(network: nn.Module, *inputs: tuple[str, int]) -> Loaded:
    bands = tuple(InputBands(*entry) for entry in inputs)
    split = SplitInput(network.eval(), bands, by_name)
    return Loaded(module=split, identity_fields={}, bands=sum(entry.bands for entry in bands), inputs=bands)


def test_the_reach_is_measured_in_each_input_and_the_largest_counts() -> None:
    locality = measure_locality(loaded(Sum(nn.Identity()), ("first", 2), ("second", 1)), 3)
    assert locality.radius is not None
    assert locality.radius.largest == 2
    assert [(one.name, one.radius and one.radius.largest) for one in locality.inputs] == [("first", 1), ("second", 2)]
    assert Locality.of(json.loads(json.dumps(asdict(locality)))) == locality


def test_layers_to_blame_are_named_as_the_network_has_them() -> None:
    network = loaded(Sum(nn.GroupNorm(1, 4)), ("first", 2), ("second", 1))
    locality = measure_locality(network, 3)
    assert (locality.verdict, locality.blame, locality.inputs) == ("not local", ("norm (GroupNorm)",), ())
    sentences = input_sentences(input_facts(network, locality))
    assert sentences[0] == "first: 2 bands, its reach was not measured apart from the others'"


def test_batch_norm_is_folded_within_and_scripts_are_not_compiled(tmp_path: Path) -> None:
    whole = loaded(pairs.lively(), *BOTH)
    folded = fold(whole)
    assert folded.done
    assert isinstance(folded.network.module, SplitInput)
    x = torch.rand(1, 4, 16, 16)
    assert torch.allclose(folded.network(x), whole(x), atol=1e-5)
    assert "TorchScript" in (why_not_compilable(opened(pairs.scripted(tmp_path)), CPU) or "")


def test_an_image_is_split_in_the_layout_that_it_has() -> None:
    x = torch.rand(2, 5, 8, 6).contiguous(memory_format=torch.channels_last)
    parts = split_bands(x, (InputBands("a", 3), InputBands("b", 2)))
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in parts.values())
    assert torch.equal(torch.cat(list(parts.values()), 1), x)
    with pytest.raises(ValueError, match="5 bands are given, and the inputs take 4"):
        split_bands(x, BOTH)
