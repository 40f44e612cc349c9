"""Unpadded networks: the sizes they take, what they leave off, and masks that equal the whole but for the raster's
margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import zarr
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.geometry.margin import Margin, Trim
from pipeline.geometry.window import Window
from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.sizes.unpadded import unpadded_margin
from pipeline.models.loaded import Loaded
from pipeline.running.execute import prepare_job
from tests import networks, scenes
from tests.runs import go

CPU = torch.device("cpu")


class Valid(nn.Module):
    """A U-Net of one level without padding, as that of 2015.

    Of n px it returns n − 16 where n is even, and its skip is cropped in the middle.
    """

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
    return Loaded(module=module.eval(), identity_fields={})


def alike(before: int, after: int, least: int, step: int) -> Margin:
    """The same on both axes."""
    return Margin(
        rows=Trim(before=before, after=after, least=least, step=step),
        cols=Trim(before=before, after=after, least=least, step=step),
    )


def seen(module: nn.Module) -> Margin | None:
    return unpadded_margin(Prober(network=loaded(module), bands=3, device=CPU))


@pytest.mark.slow
def test_what_is_left_off_and_which_sizes_are_taken_is_found_by_trying() -> None:
    assert seen(plain()) == alike(before=4, after=4, least=9, step=1)
    assert seen(Valid()) == alike(before=6, after=6, least=14, step=2)


class Uneven(nn.Module):
    """A convolution of 5 px, of which more is cut off above than below, and less on the left than on the right."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.body = nn.Conv2d(3, 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)[:, :, 3:-1, :-2]


@pytest.mark.parametrize(
    ("make", "rows", "cols"),
    [
        (Uneven, (5, 3), (2, 4)),
        (lambda: nn.Conv2d(3, 4, (4, 7)), (1, 2), (3, 3)),
        (lambda: nn.Conv2d(3, 4, (5, 3), padding=(2, 0)), (0, 0), (1, 1)),
        (lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 5)), (2, 1), (2, 1)),
        (lambda: nn.Sequential(nn.ZeroPad2d((-3, -1, -5, -1)), Valid()), (11, 7), (9, 7)),
    ],
    ids=["cropped", "even kernel", "one axis", "padded on one side", "cropped before a stride"],
)
def test_each_side_is_measured_apart(
    make: Callable[[], nn.Module], rows: tuple[int, int], cols: tuple[int, int]
) -> None:
    found = seen(make())
    assert found is not None
    assert ((found.rows.before, found.rows.after), (found.cols.before, found.cols.after)) == (rows, cols)


def test_a_margin_of_an_earlier_release_is_that_of_both_axes() -> None:
    assert Margin.of({"before": 4, "after": 5, "least": 9, "step": 1}) == alike(before=4, after=5, least=9, step=1)
    assert Margin.of(asdict(alike(before=4, after=5, least=9, step=1))) == alike(before=4, after=5, least=9, step=1)


def test_mirrored_tiles_lose_the_larger_side_on_both() -> None:
    uneven = Margin(rows=Trim(before=5, after=3, least=9, step=1), cols=Trim(before=2, after=4, least=7, step=1))
    assert uneven.turned("flips").sides == "5 px above, 5 below, 4 on the left and 4 on the right"
    assert uneven.turned("dihedral").sides == "5 px on each side"
    assert uneven.turned("none") == uneven


@pytest.mark.parametrize(
    "make", [networks.Twice, networks.Strided, networks.UNet, networks.ByThree, lambda: networks.Coarse(4)]
)
def test_a_padded_network_leaves_nothing_off(make: type[nn.Module]) -> None:
    assert seen(make()) is None


@pytest.mark.slow
def test_the_radius_holds_the_margin_and_the_stride_is_that_of_the_network() -> None:
    found = measure_locality(loaded(plain()), 3)
    assert (found.verdict, found.stride, found.radius and found.radius.largest) == ("local", 1, 4)
    deep = measure_locality(loaded(Valid()), 3)
    assert (deep.verdict, deep.stride) == ("local", 2)
    assert "unpadded" in deep.remarks[0]


def test_pixels_within_the_margin_of_the_raster_are_told_from_those_inside() -> None:
    inside = alike(before=2, after=3, least=6, step=1).inside(Window(row=0, col=5, height=4, width=5), 20, 10)
    assert inside.tolist() == [
        [False] * 5,
        [False] * 5,
        [True, True, False, False, False],
        [True, True, False, False, False],
    ]


def answer(module: nn.Module, x: torch.Tensor, margin: Margin, pad: str = "none") -> torch.Tensor:
    """(classes, rows, cols) of one pass over a raster, padded at its far edges to a size that is taken, or on all
    sides: then of every pixel."""
    around = [
        (0, trim.accepted_size(size) - size) for trim, size in ((margin.rows, x.shape[1]), (margin.cols, x.shape[2]))
    ]
    if pad != "none":
        trims = ((margin.rows, x.shape[1]), (margin.cols, x.shape[2]))
        around = [
            (trim.before, trim.accepted_size(trim.before + size + trim.after) - trim.before - size)
            for trim, size in trims
        ]
    wide = np.pad(x.numpy(), [(0, 0), *around], mode="reflect" if pad == "reflect" else "constant")
    with torch.inference_mode():
        returned = module.eval()(torch.from_numpy(wide)[None])[0]
    return returned[:, : x.shape[1], : x.shape[2]]


def whole(module: nn.Module, folder: Path, margin: Margin, pad: str = "none") -> np.ndarray:
    """The mask of one pass over the whole raster."""
    raw = torch.from_numpy(scenes.read(folder / "scene.tif"))
    valid = (raw != 0).any(0)
    labels = answer(module, (raw - 500) / 200 * valid, margin, pad).argmax(0)
    mask = torch.full(valid.shape, 255, dtype=torch.uint8)
    rows, cols = margin.rows, margin.cols
    inner = (
        mask if pad != "none" else mask[rows.before : len(mask) - rows.after, cols.before : mask.shape[1] - cols.after]
    )
    inner.copy_(labels[: inner.shape[0], : inner.shape[1]])
    return mask.masked_fill(~valid, 255).numpy()


class Late(nn.Module):
    """The U-Net without padding, that begins 3 px later, so that its stride and its margin do not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Valid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x[:, :, 3:, 3:])


LATE = alike(before=9, after=6, least=17, step=2)
PLAIN, VALID = alike(before=4, after=4, least=9, step=1), alike(before=6, after=6, least=14, step=2)
UNEVEN = Margin(rows=Trim(before=5, after=3, least=9, step=1), cols=Trim(before=2, after=4, least=7, step=1))


@pytest.mark.slow
@pytest.mark.nightly("networks", after=2)
@pytest.mark.parametrize(
    ("make", "margin", "height", "width"),
    [(plain, PLAIN, 150, 211), (Valid, VALID, 150, 211), (Valid, VALID, 151, 210), (Uneven, UNEVEN, 150, 211)],
)
def test_tiles_equal_the_whole_and_the_margin_of_the_raster_is_nodata(
    make: Callable[[], nn.Module], margin: Margin, height: int, width: int, tmp_path: Path
) -> None:
    module = make().eval()
    scenes.scene(tmp_path / "scene.tif", height, width)
    path = scenes.script(module, tmp_path / "net.pt")
    go(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 64}))
    mask = zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:]
    assert (mask[: margin.rows.before] == 255).all()
    assert (mask != whole(module, tmp_path, margin)).mean() < 1e-4


@pytest.mark.slow
def test_mirrored_tiles_give_no_class_to_what_one_of_them_lacks(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 150, 210)
    path = scenes.script(Uneven(), tmp_path / "net.pt")
    go(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 64, "augment": "flips"}))
    mask = zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:]
    assert np.argwhere(mask != 255).min(0).tolist() == [5, 4]
    assert np.argwhere(mask != 255).max(0).tolist() == [144, 205]


@pytest.mark.slow
@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize(
    ("make", "margin", "pad", "height", "width"),
    [
        (Valid, VALID, "constant", 151, 210),
        (Uneven, UNEVEN, "reflect", 150, 211),
        (Late, LATE, "reflect", 149, 212),
    ],
)
def test_every_pixel_of_a_padded_raster_has_the_class_of_the_whole_and_verify_says_so(
    make: Callable[[], nn.Module], margin: Margin, pad: str, height: int, width: int, tmp_path: Path
) -> None:
    module = make().eval()
    scenes.scene(tmp_path / "scene.tif", height, width)
    path = scenes.script(module, tmp_path / "net.pt")
    go(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 64, "pad": pad}, output={"certificate": True}))
    store = zarr.open(tmp_path / "job.zarr", mode="r")
    mask, expected = store["0/mask"][:], whole(module, tmp_path, margin, pad)
    assert (expected[0] != 255).all()
    assert (mask != expected).mean() < 1e-4
    assert (mask[:12] != expected[:12]).sum() + (mask[:, :12] != expected[:, :12]).sum() <= 2
    assert store.attrs["wholecloth"]["certificate"]["passed"]


@pytest.mark.slow
def test_mirrored_tiles_of_a_padded_raster_are_the_mean_over_the_mirrored_whole(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 150, 210)
    module = Uneven().eval()
    path = scenes.script(module, tmp_path / "net.pt")
    go(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 64, "augment": "flips", "pad": "reflect"}))
    raw = torch.from_numpy(scenes.read(tmp_path / "scene.tif"))
    valid = (raw != 0).any(0)
    x = F.pad(((raw - 500) / 200 * valid)[None], (4, 4, 5, 5), mode="reflect")
    with torch.inference_mode():
        turned = [module(x.flip(axes))[:, :, :150, 2:212].flip(axes) for axes in ([], [2], [3], [2, 3])]
    expected = torch.stack(turned).mean(0)[0].argmax(0).masked_fill(~valid, 255).numpy()
    mask = zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:]
    assert (mask != expected).sum() <= 2


def test_a_network_that_pads_by_itself_is_not_padded_for(tmp_path: Path) -> None:
    path = scenes.script(networks.Twice(), tmp_path / "net.pt")
    scenes.scene(tmp_path / "scene.tif", 150, 210)
    with pytest.raises(ConfigError, match=r"tile\.pad is reflect.*Leave tile\.pad out"):
        prepare_job(load_config(scenes.config(tmp_path, model={"path": str(path)}, tile={"pad": "reflect"})))


@pytest.mark.slow
def test_a_halo_that_keeps_what_is_not_returned_is_refused(tmp_path: Path) -> None:
    path = scenes.script(plain(), tmp_path / "net.pt")
    scenes.scene(tmp_path / "scene.tif", 150, 210)
    with pytest.raises(ConfigError, match="leaves off 4 px"):
        prepare_job(load_config(scenes.config(tmp_path, model={"path": str(path)}, tile={"halo": 2})))
