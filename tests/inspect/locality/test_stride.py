from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim

from pipeline.config import ModelConfig
from pipeline.inspect.locality import stride
from pipeline.inspect.locality.probe import Prober
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from tests import networks


def prober(network: nn.Module) -> Prober:
    return Prober(network=Loaded(module=network.eval(), identity_fields={}), bands=3, device=torch.device("cpu"))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 28, 32, 48, 64])
def test_every_usual_stride_is_found(n: int) -> None:
    assert stride.find_stride(prober(networks.Coarse(n))) == n


@pytest.mark.slow
@pytest.mark.parametrize("n", [17, 27, 100])
def test_a_stride_that_divides_none_of_the_usual_sizes_is_found(n: int) -> None:
    assert stride.find_stride(prober(networks.Coarse(n))) == n


@pytest.mark.slow
def test_a_period_that_the_file_tells_is_tried_whatever_it_is(tmp_path: Path) -> None:
    dims = {2: 34 * Dim("rows", max=300), 3: 34 * Dim("cols", max=300)}
    path = networks.export(networks.Coarse(17), tmp_path / "net.pt2", (1, 3, 68, 102), dims)
    network = load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))
    # torch may or may not insist on multiples
    assert stride.find_stride(Prober(network=network, bands=3, device=torch.device("cpu"))) in (17, 34)


def test_a_network_that_knows_positions_has_no_period() -> None:
    assert stride.find_stride(prober(networks.Coordinates())) is None


@pytest.mark.slow
def test_sizes_a_network_without_period_takes_are_told_all_the_same() -> None:
    class Placed(networks.Coarse):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * torch.linspace(0, 1, x.shape[3])

    found = prober(Placed(12))
    assert stride.find_stride(found) is None
    assert stride.multiple(found) == 12


def test_the_smallest_side_is_one_that_the_network_takes() -> None:
    side = stride.side(prober(networks.Mirrored()), 1)
    assert side is not None
    assert 41 <= side <= 64


def test_a_stride_whose_signals_are_too_faint_to_see_is_found_by_its_nans() -> None:
    class Faint(nn.Module):
        """Pads to whole cells of 8 px by itself, and what it learns from them is below rounding."""

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            height, width = x.shape[2], x.shape[3]
            cells = nn.functional.avg_pool2d(nn.functional.pad(x, (0, -width % 8, 0, -height % 8)), 8)
            return self.head(x + 1e-9 * nn.functional.interpolate(cells, scale_factor=8.0)[:, :, :height, :width])

    assert stride.find_stride(prober(Faint())) == 8


def test_faint_signals_do_not_hide_the_sizes_a_network_takes() -> None:
    torch.manual_seed(0)
    assert stride.find_stride(prober(networks.Depth(4))) == 16
