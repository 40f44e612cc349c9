"""Measuring stays within the memory that it is given, and what does not fit is refused before it is taken."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from pipeline.errors import PlanError
from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.locality.probe import _direct_convolutions
from pipeline.inspect.memory import activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.memory.live_bytes import Live
from pipeline.models.loaded import Loaded
from pipeline.runtime import resources
from pipeline.runtime.memory_constants import COUNTED_FACTOR
from pipeline.runtime.resources import MIB
from tests import networks

CPU = torch.device("cpu")


class Seen(nn.Module):
    """A network that remembers how large its images were."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside, self.sizes = inside, list[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sizes.append(x.shape[2] * x.shape[3])
        return self.inside(x)


class Attention(nn.Module):
    """Every pixel looks at every other: memory grows by the square of the pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = nn.functional.avg_pool2d(x, 4)
        flat = small.flatten(2).transpose(1, 2)
        mixed = torch.softmax(flat @ flat.transpose(1, 2), -1) @ flat
        return nn.functional.interpolate(mixed.transpose(1, 2).reshape(small.shape), scale_factor=4.0)


def counted(network: nn.Module, side: int, direct: bool) -> float:
    live, x = Live(network, 2**40), torch.zeros(1, 3, side, side)
    with torch.inference_mode(), _direct_convolutions() if direct else nullcontext(), live:
        network(x)
    return live.resident / side**2


@pytest.mark.parametrize("kind", ["eager", "scripted"])
def test_live_tensors_are_counted_with_the_largest_hole_and_what_convolutions_unfold(kind: str) -> None:
    """32 and 8 channels of float32 are alive at the peak, 32 are the largest.

    3 × 3 weights over 32 channels unfold to 288.
    """
    network = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 8, 3, padding=1)).eval()
    module = torch.jit.script(network) if kind == "scripted" else network
    assert counted(module, 64, direct=False) == (32 + 8 + 32) * 4
    assert counted(module, 64, direct=True) == (32 + 8 + 288 + 288) * 4


def left(monkeypatch: pytest.MonkeyPatch, mib: float) -> Room:
    """A room of so many MiB beside what the process has."""
    monkeypatch.setattr(Room, "_left", lambda self, need: int(mib * MIB))
    return Room(int(mib * MIB) + resources.resident())


@pytest.mark.slow
def test_no_image_goes_through_that_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Seen(nn.Sequential(nn.Conv2d(3, 64, 1), nn.Conv2d(64, 64, 1), nn.Conv2d(64, 3, 3, padding=1))).eval()
    per_pixel = COUNTED_FACTOR * counted(network, 64, direct=True)
    network.sizes.clear()
    with pytest.raises(
        PlanError,
        match=r"Measuring the network takes about .* for an image of 1088 × 64 px, "
        r"but execution.memory allows .* Raise execution.memory to \d+MiB",
    ):
        measure_locality(Loaded(module=network, identity_fields={}), 3, room=left(monkeypatch, 64))
    assert 0 < max(network.sizes) * per_pixel < 64 * MIB
    assert (
        measure_locality(Loaded(module=network, identity_fields={}), 3, room=left(monkeypatch, 4096)).verdict == "local"
    )


@pytest.mark.slow
def test_what_is_measured_does_not_depend_on_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Loaded(module=networks.lively(networks.UNet()), identity_fields={})
    assert measure_locality(network, 3, room=left(monkeypatch, 700)) == measure_locality(network, 3)


def test_attention_is_counted_anew_and_stopped_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 64 × 64 to 1024 × 1024 px pixels grow 256 times, and the products of all with all 65,536 times."""
    room, network = left(monkeypatch, 256), Loaded(module=Attention().eval(), identity_fields={})
    room.admit(network, torch.zeros(1, 3, 64, 64))
    with pytest.raises(PlanError, match="takes more than"):
        room.admit(network, torch.zeros(1, 3, 1024, 1024))
    room.admit(network, torch.zeros(1, 3, 96, 96))


@pytest.mark.slow
def test_a_network_of_one_large_size_is_refused_before_it_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Loaded(module=nn.Sequential(nn.Conv2d(3, 256, 1), nn.Conv2d(256, 3, 1)).eval(), identity_fields={})
    with pytest.raises(PlanError, match=r"more than .* for an image of 1024 × 1024 px"):
        left(monkeypatch, 128).admit(network, torch.zeros(1, 3, 1024, 1024))


def test_the_image_of_which_costs_are_told_is_as_small_as_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Seen(nn.Sequential(nn.Conv2d(3, 128, 1), nn.Conv2d(128, 3, 1))).eval()
    loaded = Loaded(module=network, identity_fields={})
    free = activation_memory.measure_activation_memory(loaded, 3, 1, CPU)
    assert max(network.sizes) == activation_memory.MEMORY_IMAGE_SIDE**2
    network.sizes.clear()
    tight = activation_memory.measure_activation_memory(loaded, 3, 1, CPU, room=left(monkeypatch, 50))
    assert 64**2 <= max(network.sizes) < activation_memory.MEMORY_IMAGE_SIDE**2
    assert tight.bytes_per_pixel == pytest.approx(free.bytes_per_pixel, rel=0.05)
    with pytest.raises(PlanError, match=r"execution\.memory"):
        activation_memory.measure_activation_memory(loaded, 3, 1, CPU, room=left(monkeypatch, 1))


class Device(nn.Module):
    """A network on a device that has no memory for images beyond so many pixels."""

    def __init__(self, pixels: int, error: Exception) -> None:
        super().__init__()
        self.inside, self.pixels, self.error = networks.Twice(), pixels, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] * x.shape[3] > self.pixels:
            raise self.error
        answer: torch.Tensor = self.inside(x)
        return answer


STARVED = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    RuntimeError("The following operation failed: CUDA out of memory."),
)


@pytest.mark.parametrize("error", STARVED, ids=["torch", "TorchScript"])
def test_a_device_without_memory_is_no_size_that_a_network_refuses(error: Exception) -> None:
    network = Loaded(module=Device(100 * 100, error).eval(), identity_fields={})
    with pytest.raises(PlanError, match=r"takes more memory than cpu has free for an image of \d+ × \d+ px"):
        measure_locality(network, 3)


@pytest.mark.parametrize(("pixels", "side"), [(10**9, 384), (200 * 200, 192), (64 * 64, 64), (10, None)])
def test_a_footprint_is_measured_on_the_largest_image_that_the_device_has_memory_for(
    pixels: int, side: int | None
) -> None:
    network = Loaded(module=Seen(Device(pixels, STARVED[0])).eval(), identity_fields={})
    if side is None:
        with pytest.raises(PlanError, match="for an image of 64 × 64 px"):
            activation_memory.measure_activation_memory(network, 3, 1, CPU)
        return
    found = activation_memory.measure_activation_memory(network, 3, 1, CPU)
    assert network.module.sizes[-1] == side * side
    assert found.bytes_per_pixel > 0
