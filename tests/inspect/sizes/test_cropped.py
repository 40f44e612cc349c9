"""Unpadded networks of one input size: measured at that size, and run as tiles of it that equal the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import zarr
from torch import nn

from pipeline.errors import ModelError
from pipeline.geometry.margin import Margin
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import Locality, Radius
from pipeline.models.loaded import Loaded
from tests import networks, scenes
from tests.inspect.sizes.test_unpadded import LATE, UNEVEN, VALID, Late, Uneven, Valid, plain, whole
from tests.runs import go


class OneSize(nn.Module):
    """A network as one that was traced: it takes one size only."""

    def __init__(self, body: nn.Module, size: int) -> None:
        super().__init__()
        self.body, self.size = body, size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] != self.size or x.shape[3] != self.size:
            raise ValueError("not the size that it was traced with")
        return self.body(x)


class Mean(nn.Module):
    """Looks at all of the image, so that no tile says what another does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) * x.mean((1, 2, 3), keepdim=True)


def seen(body: nn.Module, size: int) -> Locality:
    return measure_locality(Loaded(module=OneSize(body, size).eval(), identity_fields={}), 3, size)


@pytest.mark.parametrize(
    ("make", "size", "stride", "tile", "radius"),
    [
        (plain, 60, 1, 60, Radius(top=4, bottom=4, left=4, right=4)),
        (Valid, 60, 2, 60, Radius(top=6, bottom=6, left=6, right=6)),
        (Late, 61, 2, 64, Radius(top=9, bottom=9, left=9, right=9)),
        (lambda: nn.Conv2d(3, 4, 33), 64, 1, 64, Radius(top=16, bottom=16, left=16, right=16)),
        (Uneven, 61, 1, 65, Radius(top=6, bottom=6, left=6, right=4)),
    ],
)
def test_margin_stride_and_tile_are_measured_at_the_one_size(
    make: Callable[[], nn.Module], size: int, stride: int, tile: int, radius: Radius
) -> None:
    found = seen(make(), size)
    assert (found.verdict, found.size, found.stride, found.radius) == ("unproven", size, stride, radius)
    assert found.margin is not None
    assert found.margin.maximum == tile
    assert "takes no other size" in found.remarks[0]


@pytest.mark.parametrize("make", [networks.Strided, networks.Twice])
def test_a_map_of_a_stride_and_one_of_the_whole_image_leave_nothing_off(make: Callable[[], nn.Module]) -> None:
    assert seen(make(), 64).margin is None


@pytest.mark.parametrize(
    "make", [lambda: nn.Conv2d(3, 4, 3, stride=2), Mean, lambda: nn.Sequential(nn.ZeroPad2d(-25), Valid())]
)
def test_a_map_that_moves_with_no_shift_is_refused_as_before(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(ModelError, match="only a size smaller by a whole factor can be restored"):
        seen(make(), 65)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "margin", "size", "pad"),
    [
        (Valid, VALID, 60, "none"),
        (Late, LATE, 61, "none"),
        (Late, LATE, 61, "reflect"),
        (Uneven, UNEVEN, 61, "constant"),
    ],
)
def test_tiles_of_the_one_size_equal_the_whole(
    make: Callable[[], nn.Module], margin: Margin, size: int, pad: str, tmp_path: Path
) -> None:
    module = make().eval()
    scenes.scene(tmp_path / "scene.tif", 150, 211)
    path = scenes.script(OneSize(module, size), tmp_path / "net.pt")
    go(
        scenes.config(
            tmp_path,
            model={"path": str(path), "input": {"mean": 500, "std": 200, "size": size}},
            tile={"pad": pad},
            output={"certificate": True},
        )
    )
    store = zarr.open(tmp_path / "job.zarr", mode="r")
    assert (store["0/mask"][:] != whole(module, tmp_path, margin, pad)).sum() <= 2
