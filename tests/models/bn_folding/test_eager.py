"""What is folded of Python's modules, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from pipeline.models.architectures import NETWORKS
from pipeline.models.bn_folding import eager, fold
from pipeline.models.loaded import Loaded
from tests import networks, zoo
from tests.models.bn_folding.pairs import Pair, apart, settled
from tests.networks import conv

OURS = {"fcn32s": 15, "fcn16s": 15, "fcn8s": 15, "fcn": 4, "deconvnet": 29, "resnet_fcn": 54}
"""Batch norms of each."""


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_batch_norm_of_our_networks_is_folded(kind: str) -> None:
    args = (
        {"fc_kernel": 3, "fc_width": 4}
        if kind.startswith("fcn") and kind != "fcn"
        else {"unpooling": True}
        if kind == "deconvnet"
        else {}
    )
    network = networks.lively(NETWORKS[kind](bands=3, classes=4, width=4, **args)).double()
    made, said = eager.fold(network)
    assert made is not None
    assert said == f"batch norm folded into {OURS[kind]} convolutions"
    assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
    assert apart(network, made) < 1e-10


@pytest.mark.parametrize(
    ("convolution", "channels"),
    [
        (nn.Conv2d(8, 6, 3, bias=False), 6),
        (nn.Conv2d(8, 12, 3, groups=4, padding=2, padding_mode="reflect"), 12),
        (nn.Conv2d(8, 8, 3, groups=8, dilation=2, stride=2), 8),
        (nn.ConvTranspose2d(8, 6, 2, 2), 6),
        (nn.ConvTranspose2d(8, 12, 4, 2, groups=4, bias=False), 12),
    ],
    ids=["plain", "grouped", "depthwise", "transposed", "transposed and grouped"],
)
@pytest.mark.parametrize("affine", [True, False])
def test_every_form_of_a_convolution_is_folded(convolution: nn.Module, channels: int, affine: bool) -> None:
    network = settled(nn.Sequential(conv(3, 8), convolution, nn.BatchNorm2d(channels, affine=affine))).double()
    made, said = eager.fold(network)
    assert said == "batch norm folded into 1 convolution"
    assert apart(network, made) < 1e-12


def test_what_is_given_stays_as_it_is_and_the_rest_is_shared() -> None:
    network = networks.lively(networks.UNet())
    names, before = (
        [name for name, _ in network.named_modules()],
        {name: value.clone() for name, value in network.state_dict().items()},
    )
    made, _ = eager.fold(network)
    assert made is not None
    assert [name for name, _ in network.named_modules()] == names == [name for name, _ in made.named_modules()]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert isinstance(network.enc0[1], nn.BatchNorm2d)
    assert made.head.weight is network.head.weight
    assert not network.training
    assert not made.training


class Shared(Pair):
    """One convolution before the batch norm, and again without it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + self.conv(x + 1)


class NormTwice(Pair):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.norm(self.conv(x)))


class Elsewhere(Pair):
    """What the convolution gives is looked at by another too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class Weighed(Pair):
    """Its weights are taken by the code itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) * self.conv.weight.abs().mean()


class Twin(Pair):
    """The same weights once more, in the code's own convolution."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + F.conv2d(x, self.conv.weight, padding=1)


class Asked(Pair):
    """Branches on what it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) if bool(x.mean() > 0) else y


class Known(Pair):
    """Its batch norm is called by a name that torch does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.list = [self.norm]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.list[0](self.conv(x))


class Between(Pair):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(F.relu(self.conv(x)))


class Own(nn.BatchNorm2d):
    """A batch norm of another's making."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(super().forward(x))


def hooked() -> nn.Module:
    network = Pair()
    network.norm.register_forward_hook(lambda _m, _x, y: 2 * y)
    return network


def patched() -> nn.Module:
    network, other = Pair(), conv(3, 8)
    network.conv.forward = other.forward
    return network


def training() -> nn.Module:
    network = Pair().eval()
    network.norm.train()
    return network


def changed(part: str, made: nn.Module) -> nn.Module:
    network = Pair()
    setattr(network, part, made)
    return network


LEFT: dict[str, Callable[[], nn.Module]] = {
    "a shared convolution": Shared,
    "a norm called twice": NormTwice,
    "another look at it": Elsewhere,
    "weights taken by code": Weighed,
    "weights used twice": Twin,
    "a branch on pixels": Asked,
    "a name of its own": Known,
    "an activation between": Between,
    "a hook": hooked,
    "another forward": patched,
    "training mode": training,
    "a derived norm": lambda: changed("norm", Own(8)),
    "the batch's own statistics": lambda: changed("norm", nn.BatchNorm2d(8, track_running_stats=False)),
    "parametrized weights": lambda: changed("conv", parametrizations.weight_norm(conv(3, 8))),
    "half precision": lambda: Pair().to(torch.bfloat16),
    "no batch norm": lambda: nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8)),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_folded_with_certainty_is_left_as_it_is(name: str) -> None:
    network = LEFT[name]()
    if name != "training mode":
        network.eval()
    found = fold(Loaded(module=network, identity_fields={}))
    assert found.network.module is network
    assert not found.done
    assert found.description.startswith("batch norm is not folded: ")


class Two(nn.Module):
    """Two convolutions that share their weights, the second without a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.norm = conv(8, 8), conv(8, 8), nn.BatchNorm2d(8)
        self.two.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(self.norm(self.one(x)))


class Checked(Pair):
    """Refuses sizes as libraries do, and leaves that out while it is compiled."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.compiler.is_compiling() and x.shape[2] % 4 != 0:
            raise RuntimeError("no multiple of 4")
        return self.norm(self.conv(x))


class Aliased(Pair):
    """Its convolution is called by a second name."""

    def __init__(self) -> None:
        super().__init__()
        self.list = [self.conv]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.list[0](x))


@pytest.mark.parametrize(
    "make", [lambda: nn.Sequential(conv(3, 8), Two()), Checked, Aliased, lambda: zoo.UNet(), networks.UNet]
)
def test_what_looks_odd_and_is_certain_is_folded(make: Callable[[], nn.Module]) -> None:
    network = settled(make()).double()
    made, _ = eager.fold(network)
    assert made is not None
    assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
    assert apart(network, made) < 1e-12
    assert not torch.compiler.is_compiling()


def test_code_that_keeps_what_it_saw_is_not_spoilt_by_the_look_at_it() -> None:
    class Keeping(Pair):
        last: Any = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = x
            return super().forward(x)

    network = settled(Keeping())
    network.last = None
    made, _ = eager.fold(network)
    assert made is not None
    assert network.last is None
    assert getattr(made, "last", None) is None
