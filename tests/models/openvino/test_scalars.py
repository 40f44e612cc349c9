"""Numbers that meet the image itself: OpenVINO must take its dtype for known, whatever form the network has.

Skipped where OpenVINO is not installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.models import exported, onnx, torchscript
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from tests import networks
from tests.models.onnx_files import to_onnx

pytest.importorskip("openvino")

CPU = torch.device("cpu")
SHAPE = (1, 3, 64, 64)
BUFFERS = {
    "int64": torch.tensor([2, 3, 5]).reshape(1, 3, 1, 1),
    "int32": torch.tensor(3, dtype=torch.int32),
    "uint8": torch.tensor([2, 200, 255], dtype=torch.uint8).reshape(1, 3, 1, 1),
    "float16": torch.tensor(0.37, dtype=torch.float16).reshape(1, 1, 1, 1),
    "float64": torch.tensor(0.123456789, dtype=torch.float64),
}
"""By dtype. Torch gives float32 for each of them beside an image of float32."""


class Scaled(nn.Module):
    """Calculates with whole numbers and fractions before its first convolution, as (x·a + b − c) ÷ d."""

    def __init__(self, scale: float, whole: int) -> None:
        super().__init__()
        self.scale, self.whole = scale, whole
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body((x * self.scale * self.whole + 0.5 + self.whole - 0.25) / 3 / 1.7)
        return 1 - y


class Buffered(nn.Module):
    """Calculates with a buffer of another dtype before its first convolution, in each of four ways."""

    def __init__(self, buffer: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("number", buffer.clone())
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body(((x - self.number) * self.number + self.number) / self.number)
        return y


class DoubleStatistics(nn.Module):
    """Normalises in float64, whatever the image is, and goes back to float32."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).reshape(1, 3, 1, 1))
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body(((x - self.mean) / 0.7).float())
        return y


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "fraction": lambda: Scaled(1e-4, 1),
    "whole": lambda: Scaled(3.0, 2),
    "double": DoubleStatistics,
    **{name: lambda buffer=buffer: Buffered(buffer) for name, buffer in BUFFERS.items()},
}


def of_code(module: nn.Module, _: Path) -> Loaded:
    return Loaded(module=module, identity_fields={})


def scripted(module: nn.Module, folder: Path) -> Loaded:
    return from_script(torch.jit.script(module), folder)


def traced(module: nn.Module, folder: Path) -> Loaded:
    return from_script(torch.jit.trace(module, torch.zeros(SHAPE)), folder)


def from_script(script: torch.jit.ScriptModule, folder: Path) -> Loaded:
    script.save(str(folder / "network.ts"))
    return torchscript.load(ModelConfig(kind="torchscript", path=folder / "network.ts"), 3, CPU)


def from_program(module: nn.Module, folder: Path) -> Loaded:
    sides = {2: torch.export.Dim("rows", min=8, max=4096), 3: torch.export.Dim("cols", min=8, max=4096)}
    program = torch.export.export(module, (torch.zeros(1, 3, 64, 96),), dynamic_shapes=(sides,))
    torch.export.save(program, folder / "network.pt2")
    return exported.load(ModelConfig(kind="exported", path=folder / "network.pt2"), 3, CPU)


def from_onnx(module: nn.Module, folder: Path) -> Loaded:
    path = to_onnx(module, folder / "network.onnx")
    return onnx.load(ModelConfig(kind="onnx", path=path), 3, CPU)


FORMS = {"code": of_code, "script": scripted, "trace": traced, "program": from_program, "onnx": from_onnx}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("form", FORMS)
def test_numbers_beside_the_image_give_what_they_give_in_torch(form: str, name: str, tmp_path: Path) -> None:
    module = networks.lively(NETWORKS[name]()).requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of TorchScript, and warns of its own exporters
        network = FORMS[form](module, tmp_path)
    x = 3 * torch.randn(1, 3, 96, 80, generator=torch.Generator().manual_seed(1))
    reference = network(x)
    for loaded in (network, fold(network).network):
        answer = KINDS["openvino"].run(loaded, SHAPE)(x)
        assert answer.dtype == torch.float32
        assert float((reference - answer).abs().max() / reference.abs().max()) < 2e-6
