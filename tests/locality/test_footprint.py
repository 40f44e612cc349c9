from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.locality.footprint import measure
from pipeline.models import load
from pipeline.models.loaded import Loaded
from tests import networks
from tests.models.onnx_files import to_onnx


def bytes_per_pixel(network: nn.Module) -> float:
    return measure(Loaded(module=network.eval(), said={}), 3, 1, torch.device("cpu")).bytes_per_pixel


def test_live_tensors_at_the_peak_are_counted_eager_and_scripted_alike() -> None:
    """While the second layer runs, 32 and 8 channels of float32 are alive; scratch buffers may come on top."""
    network = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 8, 1))
    eager, scripted = bytes_per_pixel(network), bytes_per_pixel(torch.jit.script(network.eval()))
    assert 40 * 4 <= eager <= 80 * 4
    assert scripted == pytest.approx(eager, rel=0.05)


def test_a_wider_network_costs_more() -> None:
    assert bytes_per_pixel(networks.UNet(base=24)) > 2 * bytes_per_pixel(networks.UNet(base=6))


@pytest.mark.parametrize("size", [384, 900])
def test_what_onnxruntime_holds_is_counted_whatever_the_size(size: int, tmp_path: Path) -> None:
    """While the second layer runs, 32 and 8 channels of float32 are alive; torch sees none of them."""
    network = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 8, 1))
    loaded = load(ModelConfig(kind="onnx", path=to_onnx(network, tmp_path / "a.onnx")), 3, torch.device("cpu"))
    assert loaded.graph is not None
    assert 40 * 4 <= loaded.graph.peak(3, size) / size**2 <= 60 * 4
    assert 40 * 4 <= measure(loaded, 3, 1, torch.device("cpu")).bytes_per_pixel <= 80 * 4
