"""ONNX networks of the zoo.

Verdict, stride and radius are those of the same network in torch, and the node to blame is named.
"""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.report.arithmetic import flops_per_pixel
from pipeline.interfaces import Network, Radius
from pipeline.models import load
from pipeline.models.loaded import Loaded
from tests import networks
from tests.inspect.locality.test_zoo import LOCAL, ZOO, by_day, made, rule
from tests.models.onnx_files import to_onnx

CPU = torch.device("cpu")
UNNAMED = ("rolled windows", "a buffer cut to size", "circular", "circular convolution", "divided by the size")
"""Slices, sums and sizes: nothing in the file says what they are for."""
BLAME = {
    "instance norm": ("/enc0/enc0.1/InstanceNormalization (instance or group norm)", 5),
    "group norm": ("/dec0/dec0.1/InstanceNormalization (instance or", 5),
    "aligned U-Net": ("/up1/up1.0/Resize (align_corners)", 2),
    "standardised by hand": ("(global pooling)", 3),
    "mean of the flattened": ("/middle/ReduceMean (global pooling)", 1),
    "mean": ("/middle/ReduceMean (global pooling)", 1),
    "topk": ("/middle/TopK (a choice among pixels)", 1),
    "fused attention": ("/middle/Softmax (a softmax over pixels)", 1),
    "attention by einsum": ("/middle/Softmax (a softmax over pixels)", 1),
    "arange": ("/middle/Range (coordinates)", 1),
    "cumsum": ("/middle/CumSum (a running sum)", 1),
    "thumbnail": ("/middle/Resize (a resize to a fixed size)", 1),
    "mirror": ("/middle/Slice (a mirror image)", 1),
    "a branch on the maximum": ("/middle/If (a branch on values)", 2),
    "innocent windows": ("/middle/middle.1/InstanceNormalization (instance or group norm)", 1),
    "a lookup where pixels say": ("/middle/GatherElements (a lookup where pixels say)", 1),
    "grid_sample": ("/GridSample (grid_sample)", 1),
    "a branch on values": ("/If (a branch on values)", 1),
    **dict.fromkeys(UNNAMED, ("", 0)),
}
"""A part of what is told, and how many are told."""
EXPORTED = [name for name in LOCAL if name != "unpooling"]  # torch exports one size of it


def saved(name: str, folder: Path) -> Network:
    row = ZOO[name]
    network = made(row)
    if "branch" in name:
        network = torch.jit.script(network)
    side = (8 * row.stride, 10 * row.stride) if row.stride > 1 else (48, 64)
    return loaded(network, folder, (1, 3, *side))


def loaded(network: nn.Module, folder: Path, shape: tuple[int, ...] = (1, 3, 48, 64), fixed: bool = False) -> Loaded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(ModelConfig(kind="onnx", path=to_onnx(network, folder / "a.onnx", shape, fixed=fixed)), 3, CPU)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_day(((name,), rule(name)) for name in EXPORTED))
def test_a_local_network_is_local_with_the_same_stride_and_radius(name: str, tmp_path: Path) -> None:
    found, row = measure_locality(saved(name, tmp_path), 3), ZOO[name]
    assert row.radius is not None
    assert (found.verdict, found.stride, found.blame) == ("local", row.stride, ())
    assert found.radius == Radius(top=row.radius, bottom=row.radius, left=row.radius, right=row.radius)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_day(((name,), BLAME[name][0].partition("(")[2]) for name in BLAME))
def test_a_network_that_is_not_local_is_told_by_its_nodes(name: str, tmp_path: Path) -> None:
    found, row = measure_locality(saved(name, tmp_path), 3), ZOO[name]
    words, count = BLAME[name]
    assert (found.verdict, found.stride, len(found.blame)) == (row.verdict, row.stride, count), found.blame
    assert any(words in said for said in found.blame) or not count, found.blame


def test_one_size_proves_nothing_and_does_not_excuse_norms(tmp_path: Path) -> None:
    found = measure_locality(loaded(networks.Dilated(), tmp_path, (1, 3, 64, 64), fixed=True), 3)
    assert (found.verdict, found.minimum) == ("unproven", 64)
    assert found.radius == Radius(top=6, bottom=6, left=6, right=6)
    found = measure_locality(loaded(networks.GroupNormed(), tmp_path, (1, 3, 64, 64), fixed=True), 3)
    assert (found.verdict, found.blame) == (
        "not local",
        ("/body/body.1/body.1.0/InstanceNormalization (instance or group norm)",),
    )


class Products(nn.Module):
    """Convolutions of every sort, and a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = networks.conv(3, 8), nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.up, self.mix = nn.ConvTranspose2d(8, 8, 2, 2), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.b(self.a(x))[..., ::2, ::2])
        return self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_arithmetic_and_parameters_are_counted_as_torch_counts_them(tmp_path: Path) -> None:
    network = Products().eval()
    found = loaded(network, tmp_path)
    eager = Loaded(module=network, identity_fields={"sha256": "products"})
    with torch.inference_mode():
        assert flops_per_pixel(found, 3, 2, CPU) == flops_per_pixel(eager, 3, 2, CPU)
    assert found.graph is not None
    assert found.graph.parameters == sum(parameter.numel() for parameter in network.parameters())
