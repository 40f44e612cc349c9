"""TorchScript, frozen."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.models.bn_folding import scripted
from pipeline.runtime.device import fixed_numerics
from tests import networks, zoo
from tests.models.bn_folding.pairs import Pair, apart, settled
from tests.networks import conv


def reloaded(network: nn.Module) -> torch.jit.ScriptModule:
    file = io.BytesIO()
    torch.jit.save(network, file)
    file.seek(0)
    return torch.jit.load(file).eval()


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: networks.lively(zoo.UNet()), 5),
        (lambda: settled(networks.UNet()), 3),
        (lambda: settled(nn.Sequential(Pair(), nn.ConvTranspose2d(8, 4, 2))), 1),
    ],
)
@pytest.mark.parametrize(
    "how",
    [torch.jit.script, lambda network: torch.jit.trace(network, torch.rand(1, 3, 64, 96).double())],
    ids=["scripted", "traced"],
)
def test_batch_norm_of_torchscript_is_folded(
    make: Callable[[], nn.Module], count: int, how: Callable[[nn.Module], nn.Module]
) -> None:
    network = reloaded(how(make().double()))
    made, said = scripted.fold(network)
    assert said == f"TorchScript frozen, batch norm folded into {count} convolution{'s' if count > 1 else ''}"
    assert made is not None
    assert not made.inlined_graph.findAllNodes("aten::batch_norm")
    assert len(network.inlined_graph.findAllNodes("aten::batch_norm")) == count
    assert apart(network, made) < 1e-10


def test_answers_are_the_same_bytes_call_after_call_and_size_after_size() -> None:
    made, _ = scripted.fold(reloaded(torch.jit.script(networks.lively(zoo.UNet()))))
    assert made is not None
    sizes = [(64, 96), (128, 64), (64, 64)]
    with fixed_numerics("float32", 1, torch.device("cpu")):
        firsts = {size: made(networks_input(size)) for size in sizes}
        assert all(torch.equal(made(networks_input(size)), firsts[size]) for _ in range(4) for size in sizes)


@pytest.mark.parametrize("folds_within", [False, True])
def test_a_network_that_ran_unoptimised_before_is_folded_all_the_same(folds_within: bool) -> None:
    network = reloaded(torch.jit.script(networks.lively(zoo.UNet())))
    with torch.jit.optimized_execution(False):
        before = [network(networks_input((64, 96))) for _ in range(3)]
    with torch.jit.optimized_execution(not folds_within):
        made, said = scripted.fold(network)
    assert said == "TorchScript frozen, batch norm folded into 5 convolutions"
    assert apart(network, made) < 1e-5
    with torch.jit.optimized_execution(False):
        assert torch.equal(network(networks_input((64, 96))), before[0])


def networks_input(size: tuple[int, int]) -> torch.Tensor:
    return torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(0))


def test_what_was_frozen_before_is_frozen_again(tmp_path: Path) -> None:
    once, _ = scripted.fold(torch.jit.script(settled(networks.UNet())))
    assert once is not None
    again, said = scripted.fold(reloaded(once))
    assert said == "TorchScript frozen"
    assert apart(once, again) < 1e-6


class Counting(nn.Module):
    """Writes to an attribute and to a buffer whenever it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.calls = Pair(), 0
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen += 1
        return self.pair(x)


class Shared(Pair):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + self.conv(x + 1)


def test_attributes_that_code_writes_to_go_on_being_written_to_and_a_shared_convolution_keeps_its_weights() -> None:
    for network in (settled(Counting()), settled(Shared())):
        before = torch.jit.script(network)
        made, _ = scripted.fold(before)
        assert apart(network, made) < 1e-6


def test_torchscript_in_training_mode_is_left_as_it_is() -> None:
    network = torch.jit.script(Pair().eval())
    network.norm.train()
    assert scripted.fold(network) == (None, "parts of the TorchScript are in training mode")


def test_what_torch_cannot_freeze_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("module contains attributes values that overlaps")

    monkeypatch.setattr(torch.jit, "freeze", refuse)
    made, said = scripted.fold(torch.jit.script(nn.Sequential(conv(3, 8)).eval()))
    assert made is None
    assert "attributes values that overlaps" in said


class Turned(nn.Module):
    """Every kind of argument that a transposed convolution has."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = (
            conv(3, 8),
            nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.up(torch.relu(self.down(x)))
        return scores


@pytest.mark.parametrize("make", [lambda: settled(networks.UNet()), Turned])
def test_a_traced_network_computes_in_the_precision_that_is_asked_for(make: Callable[[], nn.Module]) -> None:
    network, x = make().eval(), networks_input((64, 96))
    made, _ = scripted.fold(reloaded(torch.jit.trace(network, x)))
    assert made is not None
    with fixed_numerics("float32", 1, torch.device("cpu")):
        exact = made(x)
        assert torch.allclose(exact, network(x), atol=1e-5 * float(exact.abs().max()))
    with fixed_numerics("bfloat16", 1, torch.device("cpu")):
        half = made(x)
    assert half.dtype == torch.bfloat16
    assert 0 < (half.float() - exact).abs().max() < exact.abs().max() / 10
