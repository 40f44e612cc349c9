from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.inspect.memory.activation_memory import measure_activation_memory
from pipeline.models import load
from pipeline.models.loaded import Loaded
from tests import networks
from tests.models.onnx_files import to_onnx


def bytes_per_pixel(network: nn.Module) -> float:
    return measure_activation_memory(
        Loaded(module=network.eval(), identity_fields={}), 3, 1, torch.device("cpu")
    ).bytes_per_pixel


def test_live_tensors_at_the_peak_are_counted_eager_and_scripted_alike() -> None:
    """While the second layer runs, 32 and 8 channels of float32 are alive; scratch buffers may come on top."""
    network = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 8, 1))
    eager, scripted = bytes_per_pixel(network), bytes_per_pixel(torch.jit.script(network.eval()))
    assert 40 * 4 <= eager <= 80 * 4
    assert scripted == pytest.approx(eager, rel=0.05)


@pytest.mark.slow
def test_a_wider_network_costs_more() -> None:
    assert bytes_per_pixel(networks.UNet(base=24)) > 2 * bytes_per_pixel(networks.UNet(base=6))


def fullness(network: nn.Module) -> float | None:
    return measure_activation_memory(
        Loaded(module=network.eval(), identity_fields={}), 3, 4, torch.device("cpu")
    ).fullness


@pytest.mark.slow
def test_memory_that_is_always_in_use_is_told_from_a_peak_that_passes() -> None:
    """Of two layers at full resolution both ends are held nearly always.

    Of an encoder and decoder all of it only at one end.
    """
    level = nn.Sequential(*(nn.Conv2d(width, 16, 3, padding=1) for width in (3, *[16] * 7)))
    unlike = nn.Sequential(
        nn.Conv2d(3, 64, 1),
        nn.MaxPool2d(2),
        *(nn.Conv2d(64, 64, 1) for _ in range(9)),
        nn.Conv2d(64, 3, 1),
        nn.Upsample(scale_factor=2),
    )
    full, passing = fullness(level), fullness(unlike)
    assert full is not None
    assert passing is not None
    assert passing < 0.6 < 0.8 < full <= 1
    assert fullness(torch.jit.script(level)) == pytest.approx(full, rel=0.05)
    assert fullness(level) == full, "a plan is decided by it"


@pytest.mark.slow
@pytest.mark.parametrize("size", [384, 900])
def test_what_onnxruntime_holds_is_counted_whatever_the_size(size: int, tmp_path: Path) -> None:
    """While the second layer runs, 32 and 8 channels of float32 are alive; torch sees none of them."""
    network = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 8, 1))
    loaded = load(ModelConfig(kind="onnx", path=to_onnx(network, tmp_path / "a.onnx")), 3, torch.device("cpu"))
    assert loaded.graph is not None
    assert 40 * 4 <= loaded.graph.peak(3, size) / size**2 <= 60 * 4
    found = measure_activation_memory(loaded, 3, 1, torch.device("cpu"))
    assert 40 * 4 <= found.bytes_per_pixel <= 80 * 4
    assert found.fullness is None
