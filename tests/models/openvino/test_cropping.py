"""Graphs of OpenVINO are cropped operation by operation, and what is not cropped is named.

Skipped where OpenVINO is not installed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.geometry.window import Window
from pipeline.models import onnx
from pipeline.models.cropping.cost import live_bytes
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.network import CroppedNetwork, crop_image
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.planning.prepare import prepare_job
from pipeline.store.lifecycle import open_layer
from tests import networks, runs, scenes, zoo
from tests.models.onnx_files import to_onnx

pytest.importorskip("openvino")

CPU = torch.device("cpu")
SIDE = 96
OPENVINO = KINDS["openvino"]
MIDDLE = Window(row=40, col=36, height=16, width=20)


class Grouped(nn.Module):
    """Convolutions of groups, and activations of many kinds, beside numbers of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.depth = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2, groups=8)
        self.slope, self.head = nn.PReLU(8), nn.Conv2d(8, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.slope(self.first(x)) * self.scale
        return self.head(F.hardswish(self.depth(y)) + torch.sigmoid(y) / 2 - F.elu(y).clamp(-1, 1))


class Spread(nn.Module):
    """Transposed convolutions, of groups too, on an image that is padded by zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=2)
        self.head = nn.ConvTranspose2d(8, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.up(self.down(F.pad(x, (0, 1, 0, 1))))))


def network(module: nn.Module) -> Loaded:
    torch.manual_seed(3)
    return Loaded(module=networks.lively(module).eval(), identity_fields={"sha256": "of the test"})


def cropped(loaded: Loaded) -> CroppedNetwork:
    assert OPENVINO.crop is not None
    return OPENVINO.crop(OPENVINO.run(loaded, (1, 3, 64, 64)), crop_image(3, 64, CPU))


def assert_part_is_cropped(one: CroppedNetwork) -> None:
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    whole = one.network(x)
    for window in (MIDDLE, Window(row=0, col=7, height=30, width=89), Window(row=81, col=0, height=15, width=9)):
        part = one(x, window)
        assert float((part - whole[(..., *window.slices)]).abs().max()) < 2e-6 * float(whole.abs().max())
    assert one.cost(SIDE, SIDE, MIDDLE).work < 0.8


@pytest.mark.parametrize("module", [Grouped(), Spread(), nn.Sequential(networks.conv(3, 8), nn.Softmax(1))], ids=str)
def test_each_operation_moves_as_its_row_tells(module: nn.Module) -> None:
    assert_part_is_cropped(cropped(network(module)))


def test_images_that_are_enlarged_to_a_size_are_enlarged_to_that_of_the_part() -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.deep, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(11, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = F.relu(self.deep(F.avg_pool2d(x, 2)))
            return self.head(torch.cat([x, F.interpolate(y, size=x.shape[2:], mode="bicubic")], 1))

    assert_part_is_cropped(cropped(network(Sized())))


def test_a_file_of_onnx_is_cropped_too(tmp_path: Path) -> None:
    path = to_onnx(networks.lively(zoo.UNet(up="transposed")), tmp_path / "net.onnx")
    assert_part_is_cropped(cropped(onnx.load(ModelConfig(kind="onnx", path=path), 3, CPU)))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (zoo.UNet(up="align_corners"), "aligned corners"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True)), "beyond the image"),
        (zoo.UNet(norm=lambda width: nn.GroupNorm(2, width)), "is not cropped"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softmax(2)), "another axis"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")), "another axis|is not cropped"),
    ],
    ids=["aligned", "ceil", "group norm", "softmax", "circular"],
)
def test_what_is_not_cropped_is_named(module: nn.Module, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        cropped(network(module))


def test_a_table_beside_the_image_is_refused() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.table = nn.Conv2d(3, 4, 3, padding=1), nn.Parameter(torch.rand(4, 64, 64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.head(x)
            return y + self.table

    with pytest.raises(Unsupported, match="table of the image's size"):
        cropped(Loaded(module=Table().eval(), identity_fields={"sha256": "of the test"}))


def test_what_is_computed_with_a_convolution_takes_no_memory_of_its_own() -> None:
    one = cropped(network(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))))
    assert [step.fused for step in one.record.steps if step is not None] == [False, True, True, False, True]
    whole = Window(row=0, col=0, height=SIDE, width=SIDE)
    regions = one.planned(SIDE, SIDE, whole)
    assert regions is not None
    assert live_bytes(one.record, regions) == SIDE**2 * 4 * (8 + 4)


def test_a_job_crops_and_another_process_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    execution = {"runtime": "openvino", "engine": "threads"}
    calm, halved = (scenes.config(tmp_path, name, execution=execution) for name in ("calm", "halved"))
    job = prepare_job(load_config(calm, []))
    assert job.task.recipe.crop, job.cropping
    runs.go(calm)
    assert np.array_equal(open_layer(tmp_path / "calm.zarr", 0, "mask")[:], scenes.whole(tmp_path))
    runs.go(halved, shard=runs.shards(2)[1])
    runs.go(halved)
    assert runs.arrays(tmp_path / "halved.zarr") == runs.arrays(tmp_path / "calm.zarr")


def test_parts_of_one_output_that_are_cut_otherwise_have_graphs_of_their_own() -> None:
    """A part of a row more may be cut after a layer where the other one is cut before it."""
    loaded = network(zoo.UNet())
    parts = cropped(loaded)
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    whole, seen = loaded(x), dict[Window, set[object]]()
    for stop in range(4, SIDE + 1):
        keep = Window(row=0, col=0, height=stop, width=SIDE)
        regions = parts.planned(SIDE, SIDE, keep)
        assert regions is not None
        seen.setdefault(regions.output, set()).add(regions)
        error = (parts(x, keep) - whole[(..., *keep.slices)]).abs().max() / whole.abs().max()
        assert error < 2e-6, keep
    assert any(len(cuts) > 1 for cuts in seen.values()), "otherwise this test shows nothing"
