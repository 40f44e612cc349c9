"""The U-Net of 2015, whose margin depends on the size of the image.

Tiles equal one pass over the whole at every size.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import zarr

from pipeline.config import TileConfig
from pipeline.config.load import load_config
from pipeline.geometry.margin import Margin, Trim
from pipeline.interfaces import Locality, Radius
from pipeline.models.loaded import Loaded
from pipeline.planning import edges
from pipeline.planning.types import TilePlan
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import networks, scenes
from tests.inspect.sizes.test_unpadded import answer, whole

TRIM = Trim(before=92, after=92, least=188, step=16)
MARGIN = Margin(rows=TRIM, cols=TRIM)
RADIUS = Radius(top=92, bottom=96, left=92, right=96)
MEASURED = Locality(verdict="local", stride=16, radius=RADIUS, bands=3, classes=4, minimum=208, margin=MARGIN)
Pad = Literal["none", "reflect", "constant"]


def unet() -> torch.nn.Module:
    """With weights whose signals live through every level, so that a misplaced pixel shows itself."""
    torch.manual_seed(1)
    module = networks.ValidUNet()
    for weights in module.parameters():
        if weights.dim() == 4:
            torch.nn.init.kaiming_normal_(weights)
    return module.eval()


def loaded(module: torch.nn.Module) -> Loaded:
    return Loaded(module=module, identity_fields={}, bands=3)


def tiled(module: torch.nn.Module, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    """Tile by tile as a plan lays them out, (classes, rows, cols).

    Anything in the margin of a raster that is not padded.
    """
    tile = TileConfig(pad=pad)
    found = edges.with_padding(MEASURED, tile, 1)
    assert found.radius is not None
    height, width = x.shape[1:]
    near, far = edges.aprons(found, tile, height, width, 16)
    halo = -(-found.radius.largest // 16) * 16
    plan = TilePlan(
        height=height,
        width=width,
        block=160,
        chunk=160,
        shard=None,
        multiple=16,
        minimum=loaded(module).with_margin(MARGIN).accepts.minimum,
        halo=halo,
        core=160,
        size=160 + 2 * halo,
        step=0,
        taper="flat",
        blend="logits",
        exact=True,
        why="",
        pad=pad,
        near=near,
        far=far,
    )
    layout, network = plan.layout(), found.apply_to(loaded(module))
    wide = np.pad(x.numpy(), [(0, 0), (96, 512), (96, 512)], mode="reflect" if pad == "reflect" else "constant")
    made = torch.full((4, height, width), torch.nan)
    for index in layout.blocks():
        for each in layout.tiles(index):
            rows, cols = (slice(span.start + 96, span.stop + 96) for span in (each.read.rows, each.read.cols))
            logits = network(torch.from_numpy(wide[None, :, rows, cols]))[0]
            made[(slice(None), *each.keep.slices)] = logits[(slice(None), *each.keep.index_in(each.read))]
    return made


def test_its_margin_depends_on_the_size() -> None:
    with torch.inference_mode():
        assert [unet()(torch.zeros(1, 3, size, size)).shape[2] for size in (572, 252, 267, 268)] == [388, 68, 68, 84]


@pytest.mark.slow
@pytest.mark.nightly("networks", after=8)
@pytest.mark.parametrize("more", range(16))
def test_tiles_equal_the_whole_at_every_size(more: int) -> None:
    module, height, width = unet(), 208 + more, 222 - more
    x = torch.randn(3, height, width, generator=torch.Generator().manual_seed(more))
    for pad in ("none", "reflect" if more % 2 else "constant"):
        expected, made = answer(module, x, MARGIN, pad), tiled(module, x, pad)
        if pad == "none":
            made, expected = made[:, 92 : height - 92, 92 : width - 92], expected[:, : height - 184, : width - 184]
        assert made.shape == expected.shape
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.slow
def test_its_sizes_and_margin_are_measured_and_a_run_gives_each_pixel_the_class_of_the_whole(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 107, 92)
    path = scenes.script(unet(), tmp_path / "net.pt")
    job = prepare_job(
        load_config(scenes.config(tmp_path, model={"path": str(path)}, tile={"size": 288, "pad": "reflect"}))
    )
    assert (job.locality.verdict, job.locality.stride) == ("local", 16)
    assert job.locality == edges.with_padding(
        replace(MEASURED, remarks=job.locality.remarks), TileConfig(pad="reflect"), 1
    )
    with Progress() as progress:
        execute(job, progress)
    expected = whole(unet(), tmp_path, MARGIN, "reflect")
    assert len(np.unique(expected)) > 2
    assert (zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:] != expected).sum() <= 2
