from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from pipeline.config import ModelConfig, ModelOutputConfig
from pipeline.errors import BandsError, ExtraError, ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models import load
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime.network import OnnxNetwork
from tests import networks
from tests.models.onnx_files import to_onnx

CPU = torch.device("cpu")


def opened(path: Path, bands: int = 3, key: str = "auto", device: torch.device = CPU) -> Loaded:
    return load(ModelConfig(kind="onnx", path=path, output=ModelOutputConfig(key=key)), bands, device)


def same(loaded: Loaded, network: nn.Module, side: int = 48, tolerance: float = 1e-5) -> None:
    x = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        assert torch.allclose(loaded(x), network(x), atol=tolerance)


def small(path: Path, shape: list[Any], dtype: int = TensorProto.FLOAT, bands: int = 3) -> onnx.ModelProto:
    """A 1×1 convolution by hand, where the exporter would not make what is wanted."""
    image = helper.make_tensor_value_info("image", dtype, shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weight = numpy_helper.from_array(np.ones((2, bands, 1, 1), "float32"), "w")
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["y"], name="first"),
    ]
    made = helper.make_model(
        helper.make_graph(nodes, "g", [image], [out], [weight]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(made, path)
    return made


def test_a_fixed_size_is_told(tmp_path: Path) -> None:
    network = networks.lively(networks.UNet())
    found = opened(to_onnx(network, tmp_path / "a.onnx", (1, 3, 48, 48), fixed=True))
    assert found.accepts == InputConstraints(minimum=48, maximum=48, batch=1)
    same(found, network)


def test_a_fixed_batch_is_filled(tmp_path: Path) -> None:
    network = networks.Twice()
    found = opened(to_onnx(network, tmp_path / "a.onnx", (4, 3, 48, 48), fixed=True))
    assert found.accepts.batch == 4
    same(found, network)


def test_a_fixed_size_that_is_no_square_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rows of 64 px and cols of 96 px"):
        opened(to_onnx(networks.Twice(), tmp_path / "a.onnx", fixed=True))


def test_half_precision_is_fed_and_returned(tmp_path: Path) -> None:
    network = networks.Twice().half()
    found = opened(to_onnx(network, tmp_path / "a.onnx"))
    assert found.module(torch.randn(1, 3, 16, 24)).dtype == torch.float16
    assert found(torch.randn(1, 3, 16, 24)).dtype == torch.float32
    same(found, network.float(), tolerance=5e-3)


class Several(nn.Module):
    """A vector first, then two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = networks.conv(3, 4), networks.conv(3, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return x.mean((2, 3)), self.a(x), self.b(x)


@pytest.mark.parametrize(
    ("names", "key", "channels"),
    [
        (("v", "p", "q"), "auto", 4),
        (("v", "p", "out"), "auto", 5),
        (("v", "p", "q"), "q", 5),
        (("v", "p", "q"), "1", 4),
    ],
)
def test_of_several_outputs_one_is_taken(names: tuple[str, ...], key: str, channels: int, tmp_path: Path) -> None:
    path = to_onnx(Several(), tmp_path / "a.onnx", names=names)
    made = onnx.load(path)
    del made.graph.output[0].type.tensor_type.shape.dim[2:]
    onnx.save(made, path)
    assert opened(path, key=key)(torch.randn(1, 3, 16, 24)).shape == (1, channels, 16, 24)


@pytest.mark.parametrize("key", ["r", "3"])
def test_an_output_that_is_not_there_is_named(key: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"key is '{key}'.*returns v, p, q"):
        opened(to_onnx(Several(), tmp_path / "a.onnx", names=("v", "p", "q")), key=key)


def test_another_output_is_another_network(tmp_path: Path) -> None:
    path = to_onnx(Several(), tmp_path / "a.onnx", names=("v", "p", "q"))
    assert opened(path, key="p").identity() != opened(path, key="q").identity()


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ([1, 64, 64, 3], TensorProto.FLOAT, r"bands last.*inputs-as-nchw image"),
        (["n", "h", "w", 3], TensorProto.FLOAT, "bands last"),
        ([1, 3, 64, 64], TensorProto.UINT8, "type uint8.*float32"),
        ([1, 3, 64], TensorProto.FLOAT, r"takes \(1, 3, 64\)"),
        (["n", 5, "h", "w"], TensorProto.FLOAT, "3 bands are read, but .* takes 5 bands"),
    ],
)
def test_an_input_that_is_no_image_is_explained(shape: list[Any], dtype: int, words: str, tmp_path: Path) -> None:
    small(tmp_path / "a.onnx", shape, dtype, 5 if 5 in shape else 3)
    with pytest.raises(ModelError, match=words):
        opened(tmp_path / "a.onnx")


def test_bands_that_no_shape_tells_are_told_by_the_first_convolution(tmp_path: Path) -> None:
    small(tmp_path / "a.onnx", ["n", "c", "h", "w"], bands=7)
    with pytest.raises(BandsError, match=r"3 bands are read, but .* takes 7 bands"):
        opened(tmp_path / "a.onnx")
    assert opened(tmp_path / "a.onnx", 7)(torch.rand(1, 7, 8, 8)).shape == (1, 2, 8, 8)


def test_two_inputs_are_refused_and_weights_are_none(tmp_path: Path) -> None:
    made = small(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 3, 1, 1]))
    onnx.save(made, tmp_path / "a.onnx")
    assert opened(tmp_path / "a.onnx")(torch.rand(1, 3, 8, 8)).shape == (1, 2, 8, 8)
    made.graph.input.append(helper.make_tensor_value_info("date", TensorProto.FLOAT, [1]))
    onnx.save(made, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"takes 2 inputs \(image, date\)"):
        opened(tmp_path / "a.onnx")


def test_an_opset_that_is_too_new_is_told_with_both_numbers(tmp_path: Path) -> None:
    made = small(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    made.opset_import[0].version = 99
    onnx.save(made, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"of opset 99, and onnxruntime \S+ knows \S+ up to opset \d\d\. Upgrade"):
        opened(tmp_path / "a.onnx")


def test_a_format_that_is_too_new_is_told_with_both_numbers(tmp_path: Path) -> None:
    made = small(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    made.ir_version = 77
    onnx.save(made, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"of IR version 77, and onnxruntime \S+ reads up to \d+\. Upgrade"):
        opened(tmp_path / "a.onnx")


@pytest.mark.parametrize("imported", [True, False])
def test_an_operator_of_another_library_is_named(imported: bool, tmp_path: Path) -> None:
    made = small(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    made.graph.node[1].domain, made.graph.node[1].op_type = "my.ops", "Wobble"
    if imported:
        made.opset_import.append(helper.make_opsetid("my.ops", 1))
    (tmp_path / "a.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"does not know its operator my\.ops:Wobble"):
        opened(tmp_path / "a.onnx")


def test_an_operator_that_nobody_knows_is_named(tmp_path: Path) -> None:
    made = small(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    made.graph.node[1].op_type = "Wobble"
    (tmp_path / "a.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="does not know its operator Wobble"):
        opened(tmp_path / "a.onnx")


def apart(folder: Path, network: nn.Module) -> Path:
    """A network whose weights lie beside it."""
    path = to_onnx(network, folder / "whole.onnx")
    onnx.save_model(
        onnx.load(path), folder / "a.onnx", save_as_external_data=True, location="a.onnx.data", size_threshold=16
    )
    return folder / "a.onnx"


def test_weights_beside_the_file_are_read_and_are_a_part_of_what_it_is(tmp_path: Path) -> None:
    network = networks.lively(networks.UNet())
    path, data = apart(tmp_path, network), tmp_path / "a.onnx.data"
    before = opened(path)
    same(before, network)
    data.write_bytes(data.read_bytes()[:-8] + bytes(8))
    assert opened(path).identity()["sha256"] == before.identity()["sha256"]
    assert opened(path).identity() != before.identity()
    data.unlink()
    with pytest.raises(ModelError, match=r"keeps weights in a\.onnx\.data, which is not beside it"):
        opened(path)


def test_weights_are_never_taken_from_outside_the_folder(tmp_path: Path) -> None:
    path = apart(tmp_path, networks.Twice())
    made = onnx.load(path, load_external_data=False)
    for tensor in made.graph.initializer:
        for pair in tensor.external_data:
            if pair.key == "location":
                pair.value = "../a.onnx.data"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="outside its folder"):
        opened(path)


@pytest.mark.parametrize("library", ["onnxruntime", "onnx"])
def test_a_missing_library_is_told_with_its_extra(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = to_onnx(networks.Twice(), tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExtraError, match=rf"needs {library}, .*wholecloth\[onnx\]"):
        opened(path)


def test_a_gpu_that_onnxruntime_cannot_use_is_no_silent_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"execution\.device is cuda:0.*onnxruntime-gpu"):
        opened(to_onnx(networks.Twice(), tmp_path / "a.onnx"), device=torch.device("cuda:0"))


def test_another_file_is_answered_with_its_kind(tmp_path: Path) -> None:
    torch.jit.script(networks.Twice()).save(str(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match=r"but a TorchScript network\. Set model.kind: torchscript"):
        opened(tmp_path / "a.onnx")


def test_a_precision_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    found = opened(to_onnx(networks.Twice(), tmp_path / "a.onnx"))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ModelError, match=r"execution\.precision"):
        found(torch.rand(1, 3, 16, 16))


def test_the_session_follows_the_threads_that_torch_is_set_to(tmp_path: Path) -> None:
    found = opened(to_onnx(networks.Twice(), tmp_path / "a.onnx"))
    assert isinstance(found.module, OnnxNetwork)
    first = found.module.session()
    assert found.module.session() is first
    torch.set_num_threads(2)
    assert found.module.session().get_session_options().intra_op_num_threads == 2
    assert first.get_session_options().intra_op_num_threads == 1


def test_running_out_of_memory_is_told_as_torch_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(to_onnx(networks.Twice(), tmp_path / "a.onnx"))

    def starved(*_: Any) -> None:
        raise RuntimeError(
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code while running Conv node. std::bad_alloc"
        )

    monkeypatch.setattr(OnnxNetwork, "_run", starved)
    with pytest.raises(torch.OutOfMemoryError, match="bad_alloc"):
        found(torch.rand(1, 3, 16, 16))


def test_pixels_in_channels_last_order_are_the_same_pixels(tmp_path: Path) -> None:
    network = networks.lively(networks.UNet())
    found, x = opened(to_onnx(network, tmp_path / "a.onnx")), torch.randn(1, 3, 32, 48)
    assert torch.equal(found(x), found(x.contiguous(memory_format=torch.channels_last)))
