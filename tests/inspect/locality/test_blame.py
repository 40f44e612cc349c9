import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim

from pipeline.config import ModelConfig
from pipeline.inspect.locality.blame import find_nonlocal_ops
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.operations.rules import NonLocalOps
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from tests import networks


def found(network: nn.Module, kind: str, folder: Path, multiple: int = 8) -> NonLocalOps:
    return find_nonlocal_ops(
        Prober(network=loaded(network.eval(), kind, folder, multiple), bands=3, device=torch.device("cpu")), 64
    )


def loaded(network: nn.Module, kind: str, folder: Path, multiple: int) -> Loaded:
    if kind == "exported":
        dims = {2: multiple * Dim("rows", max=64), 3: multiple * Dim("cols", max=64)}
        path = networks.export(network, folder / "net.pt2", (1, 3, 6 * multiple, 8 * multiple), dims)
        return load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # norms check their sizes in Python
        return Loaded(module=compiled(network, kind), identity_fields={})


def compiled(network: nn.Module, kind: str) -> nn.Module:
    make: dict[str, Callable[[nn.Module], nn.Module]] = {
        "eager": lambda net: net,
        "scripted": torch.jit.script,
        "traced": lambda net: torch.jit.trace(net, torch.rand(1, 3, 48, 64), check_trace=False),
    }
    return make[kind](network)


@pytest.mark.slow
@pytest.mark.nightly("networks", after=10)
@pytest.mark.parametrize("kind", ["eager", "scripted", "traced", "exported"])
@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (networks.GroupNormed, "body.1.0 (GroupNorm)"),
        (networks.InstanceNormed, "1 (InstanceNorm2d)"),
        (networks.Adaptive, "pool (AdaptiveAvgPool2d)"),
        (networks.CornersAligned, "up (align_corners)"),
        (networks.Attending, "mix (MultiheadAttention)"),
        (networks.SqueezeExcite, "global pooling"),
    ],
)
def test_the_layer_is_named_once_by_its_path_and_innocent_ones_are_not(
    make: type[nn.Module], layer: str, kind: str, tmp_path: Path
) -> None:
    assert found(make(), kind, tmp_path).everywhere == (layer,)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["eager", "scripted", "traced", "exported"])
def test_sampling_where_pixels_say_depends_on_the_data(kind: str, tmp_path: Path) -> None:
    assert found(networks.Warped(), kind, tmp_path).data == ("grid_sample",)


class Doubled(nn.Module):
    """Samples on a grid that is made of the size alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = nn.functional.affine_grid(torch.eye(2, 3)[None] * 0.5, x.shape, align_corners=False)
        return nn.functional.grid_sample(x, grid, align_corners=False)


def test_sampling_on_a_fixed_grid_depends_on_positions_and_not_on_the_data(tmp_path: Path) -> None:
    said = found(Doubled(), "eager", tmp_path)
    assert said.data == ()
    assert "grid_sample" in said.positions


@pytest.mark.parametrize("kind", ["eager", "scripted"])
def test_a_branch_on_values_is_seen_though_it_is_never_taken(kind: str, tmp_path: Path) -> None:
    assert found(networks.Branching(), kind, tmp_path).data == ("a branch on values",)


class Conditional(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond((x == 12345).any(), lambda y: y * 0, lambda y: y + 0, (x,))


@pytest.mark.slow
def test_a_branch_inside_a_program_is_seen(tmp_path: Path) -> None:
    assert found(Conditional(), "exported", tmp_path).data == ("a branch on values",)


@pytest.mark.parametrize("kind", ["eager", "scripted", "traced"])
def test_arithmetic_on_sizes_is_no_branch_on_values(kind: str, tmp_path: Path) -> None:
    """A traced network keeps its sizes as tensors and reads numbers out of them."""
    assert found(networks.Coarse(4), kind, tmp_path).all == ()


def test_hooks_are_taken_away_again(tmp_path: Path) -> None:
    network = networks.GroupNormed()
    found(network, "eager", tmp_path)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
