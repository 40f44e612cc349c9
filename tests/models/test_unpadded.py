"""What an unpadded network is given of a tile, and where its answer belongs."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.geometry.margin import Margin, Trim
from pipeline.interfaces import Locality
from pipeline.models.loaded import Loaded
from pipeline.models.unpadded import WithinMargin, given, run_unpadded

SKIPPED = Trim(before=2, after=1, least=8, step=3, skip=1)
ONE_SIZE = Trim(before=2, after=1, least=8, step=3, skip=1, tile=12)


def alike(trim: Trim) -> Margin:
    return Margin(rows=trim, cols=trim)


def cut(x: torch.Tensor) -> torch.Tensor:
    """Leaves off 2 px above and on the left, and 1 px below and on the right."""
    return x[:, :, 2:-1, 2:-1]


def test_a_tile_is_padded_to_a_size_that_is_taken_or_cut_to_the_one_that_is() -> None:
    x = torch.arange(1.0, 13)[:, None].expand(12, 12)[None, None]
    assert given(x, alike(SKIPPED))[0, 0, :, 0].tolist() == [*range(2, 13)]
    assert given(x[:, :, :11], alike(SKIPPED))[0, 0, :, 0].tolist() == [*range(2, 12), 0]
    assert given(x, alike(ONE_SIZE))[0, 0, :, 0].tolist() == [*range(2, 10)]


def test_the_answer_lies_where_the_pixels_are_that_it_is_of() -> None:
    x = torch.rand(1, 1, 12, 12) + 1
    for trim, stop in ((SKIPPED, 11), (ONE_SIZE, 8)):
        found = run_unpadded(cut, x, alike(trim))
        expected = torch.zeros_like(x)
        expected[..., 3:stop, 3:stop] = x[..., 3:stop, 3:stop]
        assert torch.equal(found, expected)


class Recorded:
    """A graph that records what it is looked at on."""

    def __init__(self) -> None:
        self.sides: list[int] = []

    def peak(self, bands: int, side: int) -> int:
        self.sides.append(side)
        return bands * side

    def steps(self, x: torch.Tensor, other: torch.Tensor | None = None, kinds: Any = None) -> list[Any]:
        self.sides.append(x.shape[2])
        return []


def test_what_runs_outside_of_torch_is_looked_at_on_a_size_that_it_takes() -> None:
    graph = Recorded()
    within = WithinMargin(graph=graph, margin=alike(ONE_SIZE))  # type: ignore[arg-type]  # two of its methods
    within.peak(3, 12)
    within.steps(torch.zeros(1, 3, 12, 12))
    assert graph.sides == [8, 8]


def test_of_one_size_the_network_says_the_size_of_its_tiles() -> None:
    accepts = Loaded(module=torch.nn.Identity(), identity_fields={}).with_margin(alike(ONE_SIZE)).accepts
    assert (accepts.minimum, accepts.maximum) == (12, 12)


def test_a_network_of_a_largest_size_keeps_its_margin() -> None:
    margin = alike(Trim(before=2, after=1, least=8, step=1))
    locality = Locality(
        verdict="local", stride=1, radius=None, bands=1, classes=1, minimum=4, margin=margin, maximum=64
    )
    network = locality.apply_to(Loaded(module=torch.nn.Identity(), identity_fields={}))
    assert (network.margin, network.accepts.maximum) == (margin, 64)
