import pytest
import torch
from torch import nn

from pipeline.locality.footprint import measure
from pipeline.models.loaded import Loaded
from tests import networks


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
