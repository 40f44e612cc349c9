"""Parts of a tile that are computed by themselves equal the same parts of the whole."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.geometry.window import Window
from pipeline.inspect.memory.activation_memory import start_profiler
from pipeline.models.cropping import network as cropping_network
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.network import CroppedNetwork, crop_image, record_cropping
from pipeline.models.cropping.record import record_network
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.runtime.backends import backend_of
from tests import networks, zoo

CPU = torch.device("cpu")
SIDE = 128
RUNTIMES = ("torch", "openvino")
"""Those that crop."""


class Residual(nn.Module):
    """Adds its image to what it made of it, in place, after a convolution that reaches far."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.far = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=6, dilation=6)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        z = self.far(y)
        z += y
        return self.head(F.relu_(z))


class Backbone(nn.Module):
    """Strided from the first layer on, enlarged at its end to a quarter of its image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1)
        self.deep, self.head = nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.Conv2d(16, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pool(F.silu(self.stem(x)))
        deep = F.interpolate(self.deep(y), size=y.shape[2:], mode="bilinear", align_corners=False)
        return self.head(torch.cat([y, deep], 1))


class Shuffled(nn.Module):
    """Patches in, sub-pixels out."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix = nn.Conv2d(3, 16, 4, stride=4), nn.Conv2d(16, 64, 5, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(self.mix(F.gelu(self.patches(x))), 4)


class Asking(nn.Module):
    """Enlarges what is smaller than its image, as wrappers do."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.head = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(11, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.interpolate(self.down(x), scale_factor=2.0, mode="nearest")
        if y.shape[2:] != x.shape[2:]:
            y = F.interpolate(y, size=x.shape[2:], mode="nearest")
        return self.head(torch.cat([x, y], 1))


LOCAL: dict[str, nn.Module] = {
    "U-Net, transposed": zoo.UNet(up="transposed"),
    "U-Net, bilinear": zoo.UNet(up="bilinear"),
    "U-Net, nearest": zoo.UNet(up="nearest"),
    "residual": Residual(),
    "backbone": Backbone(),
    "shuffled": Shuffled(),
    "reflected": zoo.Framed(zoo.Padded("reflect")),
    "replicated": zoo.Framed(zoo.Padded("replicate")),
}


def _loaded(module: nn.Module) -> Loaded:
    torch.manual_seed(3)
    return Loaded(module=networks.lively(module).eval(), identity_fields={})


def _image(side: int = SIDE) -> torch.Tensor:
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(4))
    return image.contiguous(memory_format=torch.channels_last)


def _windows(count: int) -> list[Window]:
    """The middle, corners, edges and places off every grid."""
    draw = random.Random(5)
    fixed = [(48, 48, 32, 32), (0, 0, 40, 32), (96, 88, 32, 40), (0, 40, 128, 16)]
    drawn = [
        (row, col, draw.randint(1, SIDE - row), draw.randint(1, SIDE - col))
        for row, col in ((draw.randrange(SIDE), draw.randrange(SIDE)) for _ in range(count))
    ]
    return [Window(row=row, col=col, height=height, width=width) for row, col, height, width in (*fixed, *drawn)]


def _assert_parts_equal_whole(cropped: CroppedNetwork, network: Loaded) -> None:
    x = _image()
    whole = network(x)
    for window in _windows(12):
        part = cropped(x, window)
        error = float((part - whole[(..., *window.slices)]).abs().max() / whole.abs().max())
        assert part.shape[2:] == (window.height, window.width)
        assert error < 2e-6, f"{window}: {error}"


def _cropped(network: Loaded, runtime: str) -> CroppedNetwork:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    crop = KINDS[runtime].crop
    assert crop is not None
    return crop(KINDS[runtime].run(network, (1, 3, 64, 64)), crop_image(3, 64, CPU))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", LOCAL)
def test_parts_equal_the_whole(name: str, runtime: str) -> None:
    if (name, runtime) == ("shuffled", "openvino"):
        pytest.skip("OpenVINO has sub-pixels as reshaping, which is not cropped")
    cropped = _cropped(_loaded(LOCAL[name]), runtime)
    with torch.inference_mode():
        _assert_parts_equal_whole(cropped, cropped.network)
    assert cropped.cost(SIDE, SIDE, Window(row=56, col=56, height=8, width=8)).work < 0.9


@pytest.mark.parametrize("form", ["script", "trace", "export"])
def test_all_forms_of_a_network_are_cropped(form: str, tmp_path: Path) -> None:
    module = networks.lively(zoo.UNet(up="bilinear")).eval()
    image = torch.zeros(1, 3, 64, 64)
    if form == "export":
        sizes = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
        other: nn.Module = torch.export.export(module, (image,), dynamic_shapes=(sizes,)).module()
    else:
        other = torch.jit.script(module) if form == "script" else torch.jit.trace(module, image)
    network = Loaded(module=other, identity_fields={"sha256": form})
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    with torch.inference_mode():
        _assert_parts_equal_whole(cropped, network)
    assert cropped.cost(SIDE, SIDE, Window(row=56, col=56, height=8, width=8)).work < 0.9


def test_images_that_begin_between_windows_of_a_pooling_are_moved_onto_its_grid() -> None:
    """An image that was cut for one convolution may begin at an odd pixel, where no window of 2 px begins."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 5, padding=2), nn.MaxPool2d(2), nn.Upsample(scale_factor=2.0)
    )
    network = _loaded(module)
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    x = _image()
    whole = network(x)
    for start in range(40, 48):
        window = Window(row=start, col=start, height=9, width=9)
        torch.testing.assert_close(cropped(x, window), whole[(..., *window.slices)])


def test_a_network_that_looks_at_sizes_is_run_whole() -> None:
    network = _loaded(Asking())
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    x, window = _image(), Window(row=50, col=50, height=20, width=20)
    torch.testing.assert_close(cropped(x, window), network(x)[(..., *window.slices)])


class Short(nn.Module):
    """Returns shorter floats at a quarter of its image."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 4, stride=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x).to(torch.bfloat16)


def test_shorter_floats_are_enlarged_as_float32_just_as_in_the_whole() -> None:
    network = _loaded(Short())
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    x, window = _image(), Window(row=30, col=41, height=21, width=22)
    torch.testing.assert_close(cropped(x, window), network(x)[(..., *window.slices)])


def test_a_batch_is_cropped_image_by_image() -> None:
    network = _loaded(zoo.UNet())
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    x, window = torch.cat([_image(), 2 * _image()]), Window(row=32, col=40, height=24, width=24)
    torch.testing.assert_close(cropped(x, window), network(x)[(..., *window.slices)], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (zoo.UNet(up="align_corners"), "aligned corners"),
        (zoo.UNet(norm=lambda width: nn.GroupNorm(2, width)), "group_norm"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True)), "ceil_mode"),
        (zoo.Framed(zoo.Unpooled()), "unpool"),
        (zoo.Framed(zoo.Mirror()), "flip"),
    ],
)
def test_what_is_not_cropped_is_named(module: nn.Module, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        record_cropping(_loaded(module), crop_image(3, 64, CPU))


def test_each_network_is_looked_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    looks = []
    monkeypatch.setattr(cropping_network, "record_network", lambda *args: looks.append(1) or record_network(*args))
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path))
    network = Loaded(module=Residual().eval(), identity_fields={"sha256": "of the test"})
    image = crop_image(3, SIDE, CPU)
    first, again = record_cropping(network, image), record_cropping(replace(network), image)
    assert first.record == again.record
    assert len(looks) == 1
    _assert_parts_equal_whole(again, network)
    record_cropping(replace(network, folded=True), image)
    record_cropping(network, crop_image(3, 2 * SIDE, CPU))
    with torch.autocast("cpu", torch.bfloat16):
        record_cropping(network, image)
    assert len(looks) == 4
    record_cropping(replace(network, identity_fields={}), image)
    record_cropping(replace(network, identity_fields={}), image)
    assert len(looks) == 6
    for kept in (tmp_path / "operations").iterdir():
        kept.write_text("{}")
    assert record_cropping(network, image).record == first.record
    assert len(looks) == 7


def test_memory_is_at_most_what_is_foretold() -> None:
    """Live bytes of all tensors, as torch's allocator sees them, beside those of the whole."""
    start_profiler()
    network = _loaded(zoo.UNet(base=16))
    cropped = record_cropping(network, crop_image(3, 64, CPU))
    x, window = _image(256), Window(row=96, col=96, height=64, width=64)
    share, peak = cropped.cost(256, 256, window).memory, backend_of(CPU).peak
    with torch.inference_mode():
        measured = peak(lambda image: cropped(image, window), x)[0] / peak(network, x)[0]
    assert share < 0.7
    assert measured <= share * 1.05
