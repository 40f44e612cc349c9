"""Sizes that a network takes and its file does not declare.

The largest and the smallest are found by trying, and tiles keep to them.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.sizes.accepted import first, largest
from pipeline.interfaces import Radius
from pipeline.models.loaded import Loaded
from tests import networks

CPU = torch.device("cpu")


class Limited(nn.Module):
    """A network that does not take, or does not answer, what is too large or too small for it."""

    def __init__(self, size: int = 10_000, how: str = "raises", body: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.size, self.how, self.body = size, how, body or networks.Twice(classes=2)
        self.register_buffer("table", torch.zeros(1, 1, size, size) if how == "table" else torch.zeros(1))
        self.shapes: list[tuple[int, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, cols = x.shape[2:]
        self.shapes.append((rows, cols))
        if self.how == "table":
            x = x + self.table[:, :, :rows, :cols]
        elif self.how == "cuts":
            x = x[:, :, : self.size, : self.size]
        elif {
            "raises": max(rows, cols) > self.size,
            "counts": rows * cols > self.size**2,
            "small": min(rows, cols) < self.size,
        }[self.how]:
            raise ValueError("a size that it does not take")
        answer: torch.Tensor = self.body(x)
        return answer


def prober(module: nn.Module) -> Prober:
    return Prober(network=Loaded(module=module.eval(), identity_fields={}), bands=3, device=CPU)


def limit(module: nn.Module, trained: int | None = None) -> int | None:
    looks = prober(module)
    size, step = first(looks, trained) or (0, 0)
    return largest(looks, size, step)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "size", "expected"),
    [("raises", 256, 256), ("table", 300, 288), ("cuts", 250, 224), ("counts", 160, 160), ("raises", 700, 672)],
)
def test_the_largest_size_is_found_in_steps_by_halves(how: str, size: int, expected: int) -> None:
    assert limit(Limited(size, how)) == expected


@pytest.mark.parametrize("make", [networks.Twice, networks.UNet, lambda: networks.Coarse(48), lambda: Limited(2000)])
def test_a_network_that_takes_long_strips_has_no_limit(make: type[nn.Module]) -> None:
    assert limit(make()) is None


def test_without_a_limit_one_narrow_strip_along_each_axis_is_all_that_is_tried() -> None:
    module = Limited()
    looks = prober(module)
    size, step = first(looks, 512) or (0, 0)
    module.shapes.clear()
    assert largest(looks, size, step) is None
    assert module.shapes == [(512, 512), (64, 64), (1280, 64), (64, 1280)]


def test_what_a_graph_costs_is_told_of_a_size_that_it_takes() -> None:
    asked: list[int] = []
    graph = SimpleNamespace(peak=lambda bands, side: asked.append(side) or 1)
    # all that is asked of it
    network = Loaded(module=Limited(160).eval(), identity_fields={}, graph=graph)  # type: ignore[arg-type]
    assert largest(Prober(network=network, bands=3, device=CPU, room=Room(2**40)), 64, 32) == 160
    assert asked == [64]


def test_a_network_that_cuts_all_to_one_size_takes_that_alone() -> None:
    assert first(prober(Limited(64, "cuts")), None) == (64, 0)


@pytest.mark.parametrize(("body", "stride", "radius"), [(None, 1, 2), (networks.UNet(), 4, None)])
def test_a_network_with_a_limit_is_measured_within_it(body: nn.Module | None, stride: int, radius: int | None) -> None:
    found = measure_locality(
        Loaded(module=Limited(160, body=body and networks.lively(body)).eval(), identity_fields={}), 3
    )
    assert (found.verdict, found.stride, found.maximum) == ("local", stride, 160)
    assert radius is None or found.radius == Radius(top=radius, bottom=radius, left=radius, right=radius)
    assert "no images larger than about 160 px" in found.remarks[0]
    assert found.apply_to(Loaded(module=Limited(160), identity_fields={})).accepts.maximum == 160


@pytest.mark.slow
def test_a_network_that_takes_no_small_images_is_measured_on_larger_ones() -> None:
    found = measure_locality(Loaded(module=Limited(90, "small").eval(), identity_fields={}), 3)
    assert (found.verdict, found.stride, found.minimum, found.maximum) == ("local", 1, 96, None)
