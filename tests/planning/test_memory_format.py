from dataclasses import replace

import pytest
import torch
from torch import nn

from pipeline.interfaces import Locality, Radius
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from pipeline.planning.memory_format import choose_memory_format, is_pixelwise

CPU = torch.device("cpu")
PIXELS = Locality(
    verdict="local", stride=1, radius=Radius(top=0, bottom=0, left=0, right=0), bands=4, classes=4, minimum=1
)


def of(*layers: nn.Module) -> Loaded:
    return Loaded(module=nn.Sequential(*layers).eval(), identity_fields={})


NARROW = of(nn.Conv2d(4, 16, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 4, 1))


def chosen(
    network: Loaded = NARROW, locality: Locality = PIXELS, device: torch.device = CPU, runtime: str = "torch"
) -> str:
    return choose_memory_format(network, locality, device, runtime)


def test_a_narrow_network_of_single_pixels_is_given_its_planes_one_by_one() -> None:
    assert chosen() == "contiguous"


@pytest.mark.parametrize(
    "network",
    [
        of(nn.Conv2d(4, 17, 1), nn.Conv2d(17, 4, 1)),
        of(nn.Conv2d(17, 4, 1)),
        of(nn.Conv2d(4, 4, 1), nn.Linear(4, 4)),
        of(nn.ReLU()),
    ],
)
def test_a_wide_network_or_one_of_which_nothing_is_seen_is_given_channels_last(network: Loaded) -> None:
    assert chosen(network) == "channels_last"


def test_a_network_that_sees_neighbours_or_runs_elsewhere_is_given_channels_last() -> None:
    near = replace(PIXELS, radius=Radius(top=0, bottom=1, left=0, right=0))
    for locality in (near, replace(PIXELS, radius=None), replace(PIXELS, verdict="unproven")):
        assert chosen(locality=locality) == "channels_last"
        assert not is_pixelwise(locality, CPU)
    assert chosen(runtime="openvino") == "channels_last"
    assert chosen(device=torch.device("cuda")) == "channels_last"


def test_what_a_store_was_made_with_stays() -> None:
    for previous in ("channels_last", "contiguous"):
        assert choose_memory_format(NARROW, PIXELS, CPU, "torch", previous) == previous


def test_a_program_is_seen_as_it_was_loaded() -> None:
    scripted = Loaded(module=torch.jit.script(NARROW.module), identity_fields={})
    assert chosen(scripted) == "contiguous"
    assert not fold(scripted).network.module.state_dict()
