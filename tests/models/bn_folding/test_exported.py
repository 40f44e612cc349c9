"""Exported programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim

from pipeline.models.bn_folding import exported
from tests import networks, zoo
from tests.models.bn_folding.pairs import Pair, apart, settled
from tests.networks import conv


def program(network: nn.Module, dynamic: bool = True) -> Any:
    rows, cols = Dim("rows", min=2, max=64), Dim("cols", min=2, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.rand(1, 3, 64, 96, dtype=next(network.parameters()).dtype)
        return torch.export.export(network, (x,), dynamic_shapes=({2: 4 * rows, 3: 4 * cols},) if dynamic else None)


def left(module: nn.Module) -> list[str]:
    return [str(node.target) for node in module.graph.nodes if "batch_norm" in str(node.target)]


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "a U-Net": (lambda: networks.lively(zoo.UNet()), 5),
    "transposed and grouped": (
        lambda: settled(
            nn.Sequential(conv(3, 8), nn.ConvTranspose2d(8, 12, 2, 2, groups=4, bias=False), nn.BatchNorm2d(12))
        ),
        1,
    ),
    "without weights": (lambda: settled(nn.Sequential(conv(3, 8), nn.BatchNorm2d(8, affine=False))), 1),
    "padded by a word": (lambda: settled(nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.BatchNorm2d(8))), 1),
}


@pytest.mark.slow
@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_batch_norm_of_a_program_is_folded(name: str, decomposed: bool) -> None:
    make, count = NETWORKS[name]
    made = program(make().double())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = made.run_decompositions({}).module() if decomposed else made.module()
    assert exported.is_program(network)
    before = len(left(network))
    folded, said = exported.fold(network)
    assert folded is not None
    assert said == f"batch norm folded into {count} convolution{'s' if count > 1 else ''}"
    assert not left(folded)
    assert len(left(network)) == before == count
    assert apart(network, folded) < 1e-12
    assert apart(network, folded, 32, 128) < 1e-12


def test_the_form_that_returns_its_statistics_too_is_folded() -> None:
    network = program(settled(Pair()).double()).module()
    graph = network.graph
    (node,) = [node for node in graph.nodes if node.target is torch.ops.aten.batch_norm.default]
    with graph.inserting_after(node):
        x, weight, bias, mean, variance = node.args[:5]
        whole = graph.call_function(
            torch.ops.aten._native_batch_norm_legit_no_training.default,
            (x, weight, bias, mean, variance, 0.1, node.args[7]),
        )
    with graph.inserting_after(whole):
        first = graph.call_function(exported.operator.getitem, (whole, 0))
    node.replace_all_uses_with(first)
    graph.erase_node(node)
    network.recompile()
    made, said = exported.fold(network)
    assert said == "batch norm folded into 1 convolution"
    assert apart(network, made) < 1e-12
    with graph.inserting_after(whole):
        graph.call_function(exported.operator.getitem, (whole, 1))
    assert exported.fold(network)[0] is None


class Twin(Pair):
    """The same weights once more, for another convolution."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + F.conv2d(x, self.conv.weight, padding=1)


def test_weights_that_are_used_twice_keep_their_values_for_the_other() -> None:
    network = program(settled(Twin()).double()).module()
    made, said = exported.fold(network)
    assert said == "batch norm folded into 1 convolution"
    assert apart(network, made) < 1e-12


class Elsewhere(Pair):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class Writing(Pair):
    """Its statistics are written to."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.norm.running_mean.add_(1)
        return self.norm(self.conv(x))


class Computed(Pair):
    """Its weights are computed anew at each call."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(F.conv2d(x, self.conv.weight - self.conv.weight.mean(), padding=1))


@pytest.mark.parametrize(
    "make",
    [
        Elsewhere,
        Writing,
        Computed,
        lambda: nn.Sequential(conv(3, 8), nn.ReLU(), nn.BatchNorm2d(8)),
        lambda: nn.Sequential(conv(3, 8)),
    ],
)
def test_what_cannot_be_folded_with_certainty_is_left_as_it_is(make: Callable[[], nn.Module]) -> None:
    made, said = exported.fold(program(settled(make()), dynamic=False).module())
    assert made is None
    assert said


def test_batch_norm_in_training_mode_is_left_as_it_is() -> None:
    network = Pair()
    network.norm.momentum = 0.5
    assert exported.fold(program(network, dynamic=False).module())[0] is None


def test_a_program_of_fixed_sizes_goes_on_refusing_others() -> None:
    network = program(settled(Pair()), dynamic=False).module()
    made, _ = exported.fold(network)
    assert apart(network, made) < 1e-6
    for one in (network, made):
        with pytest.raises((AssertionError, RuntimeError)):
            one(torch.rand(1, 3, 32, 32))
