"""Unpadded networks: the sizes they take, what they leave off, and masks that equal the whole but for the raster's margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import zarr
from torch import nn

from pipeline.errors import ConfigError
from pipeline.load_config import load
from pipeline.locality import measure
from pipeline.locality.probe import Prober
from pipeline.locality.unpadded import margin
from pipeline.models.loaded import Loaded
from pipeline.protocols import Margin
from pipeline.raster.window import Window
from pipeline.run import prepare
from tests import networks, scenes
from tests.runs import go

CPU = torch.device("cpu")


class Valid(nn.Module):
    """A U-Net of one level without padding, as that of 2015: of n px it returns n − 16 where n is even, and its skip is cropped in the middle."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.down, self.deep = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.deeper, self.up, self.out = nn.Conv2d(6, 6, 3), nn.ConvTranspose2d(6, 6, 2, 2), nn.Conv2d(12, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.relu(self.down(x))
        b = torch.relu(self.deeper(torch.relu(self.deep(F.max_pool2d(a, 2)))))
        c = self.up(b)
        top, left = (a.shape[2] - c.shape[2]) // 2, (a.shape[3] - c.shape[3]) // 2
        return self.out(torch.cat([a[:, :, top : top + c.shape[2], left : left + c.shape[3]], c], 1))


def plain() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 4, 5))


def loaded(module: nn.Module) -> Loaded:
    return Loaded(module=module.eval(), said={})


def test_what_is_left_off_and_which_sizes_are_taken_is_found_by_trying() -> None:
    assert margin(Prober(network=loaded(plain()), bands=3, device=CPU)) == Margin(before=4, after=4, least=9, step=1)
    found = margin(Prober(network=loaded(Valid()), bands=3, device=CPU))
    assert found is not None
    assert (found.before, found.after, found.step, found.least % 2) == (6, 6, 2, 0)


@pytest.mark.parametrize("make", [networks.Twice, networks.Strided, networks.UNet, networks.ByThree, lambda: networks.Coarse(4)])
def test_a_padded_network_leaves_nothing_off(make: type[nn.Module]) -> None:
    assert margin(Prober(network=loaded(make()), bands=3, device=CPU)) is None


@pytest.mark.slow
def test_the_radius_holds_the_margin_and_the_stride_is_that_of_the_network() -> None:
    found = measure(loaded(plain()), 3)
    assert (found.verdict, found.stride, found.radius and found.radius.largest) == ("local", 1, 4)
    deep = measure(loaded(Valid()), 3)
    assert (deep.verdict, deep.stride) == ("local", 2)
    assert "unpadded" in deep.remarks[0]


def test_pixels_within_the_margin_of_the_raster_are_told_from_those_inside() -> None:
    inside = Margin(before=2, after=3, least=6, step=1).inside(Window(row=0, col=5, height=4, width=5), 20, 10)
    assert inside.tolist() == [[False] * 5, [False] * 5, [True, True, False, False, False], [True, True, False, False, False]]


def whole(module: nn.Module, folder: Path, least: int, step: int) -> tuple[np.ndarray, int]:
    """The pass over the whole raster, padded at its far edges to a size that is taken, and what it leaves off at each edge."""
    raw = torch.from_numpy(scenes.read(folder / "scene.tif"))
    x = ((raw - 500) / 200 * (raw != 0).any(0))[None]
    height, width = x.shape[2:]
    more = [(least - size) % step for size in (height, width)]
    with torch.inference_mode():
        logits = module.eval()(F.pad(x, (0, more[1], 0, more[0])))[0]
    off = (height + more[0] - logits.shape[1]) // 2
    mask = np.full((height, width), 255, "uint8")
    labels = logits.argmax(0).numpy().astype("uint8")
    mask[off : height - off, off : width - off] = labels[: height - 2 * off, : width - 2 * off]
    mask[~(raw != 0).any(0).numpy()] = 255
    return mask, off


@pytest.mark.slow
@pytest.mark.parametrize(("name", "height", "width"), [("plain", 150, 211), ("valid", 150, 211), ("valid", 151, 210)])
def test_tiles_equal_the_whole_and_the_margin_of_the_raster_is_nodata(name: str, height: int, width: int, tmp_path: Path) -> None:
    module = (plain() if name == "plain" else Valid()).eval()
    scenes.scene(tmp_path / "scene.tif", height, width)
    path = scenes.script(module, tmp_path / "net.pt")
    go(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 64}))
    expected, off = whole(module, tmp_path, 9 if name == "plain" else 14, 1 if name == "plain" else 2)
    mask = zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:]
    assert (mask[:off] == 255).all()
    assert (mask != expected).mean() < 1e-4


def test_a_halo_that_keeps_what_is_not_returned_is_refused(tmp_path: Path) -> None:
    path = scenes.script(plain(), tmp_path / "net.pt")
    scenes.scene(tmp_path / "scene.tif", 150, 210)
    with pytest.raises(ConfigError, match="leaves off 4 px"):
        prepare(load(scenes.config(tmp_path, model={"path": str(path)}, tile={"halo": 2})))
