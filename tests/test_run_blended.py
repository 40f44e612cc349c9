"""Networks that are not local, from config to store: the same labels whatever the blocks, the workers and the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.inference.opened_networks import inference
from pipeline.inference.read import read_with_retries
from pipeline.inference.recipe import Block
from pipeline.inference.tta import TTA_GROUPS
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running import execute
from pipeline.runtime.progress import Progress
from tests import networks, scenes, zoo

TILE = {"size": 64, "overlap": 0.5}


class Constant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.0 * x + torch.tensor([0.7, -1.3, 0.1])[:, None, None]


class Identity(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class OfTheBatch(nn.Module):
    """Batch norm that keeps no statistics, and so uses those of whatever is in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.body(x))


def normed(path: Path) -> Path:
    return scenes.script(networks.lively(zoo.UNet(nn.InstanceNorm2d)), path)


def config(folder: Path, name: str = "job", network: nn.Module | None = None, **sections: dict[str, Any]) -> Path:
    path = folder / "network.pt"
    if not path.exists():
        normed(path) if network is None else scenes.script(network, path)
    classes = scenes.CLASSES[:3] if isinstance(network, Constant | Identity) else scenes.CLASSES
    return scenes.config(folder, name, **{"tile": TILE, "model": {"path": str(path), "classes": classes}, **sections})


def go(path: Path) -> np.ndarray:
    job = prepare_job(load_config(path))
    with Progress() as progress:
        execute.execute(job, progress)
    return np.asarray(zarr.open_array(job.path / "0" / "mask", mode="r")[:])


def logits(job: Job) -> np.ndarray:
    """(classes, rows, cols) of the whole raster, block by block, as a run has them."""
    whole: np.ndarray | None = None
    for index in job.task.layout.blocks():
        window, frame = job.task.layout.window(index), job.task.layout.read_window(index)
        part = inference(job.task).logits(
            Block(index, window, frame, read_with_retries(job.source, frame, 0)), job.task.layout, window
        )
        if part is not None:
            whole = (
                np.full((len(part), job.source.grid.height, job.source.grid.width), np.nan, np.float32)
                if whole is None
                else whole
            )
            whole[(slice(None), *window.slices)] = part
    assert whole is not None
    return whole


NIGHTLY = pytest.mark.nightly("networks")
BLENDS = [
    ("logits", 0.25),
    ("probabilities", 0.5),
    pytest.param("logits", 0.5, marks=NIGHTLY),
    pytest.param("logits", 0.8, marks=NIGHTLY),
    pytest.param("probabilities", 0.25, marks=NIGHTLY),
    pytest.param("probabilities", 0.8, marks=NIGHTLY),
]


@contextmanager
def backwards(workers: int, dashboard: str | None = None) -> Iterator[Callable[..., Iterator[Any]]]:
    """An engine that begins at the end."""

    def engine(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(work, reversed(list(items)))

    yield engine


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(("blend", "overlap"), BLENDS)
def test_blended_labels_are_the_same_for_every_block_size(tmp_path: Path, overlap: float, blend: str) -> None:
    tile = {**TILE, "overlap": overlap, "blend": blend}
    made = {
        block: go(config(tmp_path, f"b{block}", tile=tile, output={"chunk": 64, "block": block}))
        for block in (64, 192, 448)
    }
    assert (made[64] == made[448]).all()
    assert (made[192] == made[448]).all()
    assert len(np.unique(made[448])) > 3


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_blended_labels_are_the_same_for_every_worker_count_and_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = go(config(tmp_path, "one"))
    for workers in (2, 3):
        assert (go(config(tmp_path, f"w{workers}", execution={"engine": "threads", "workers": workers})) == one).all()
    monkeypatch.setitem(execute.ENGINES, "serial", backwards)
    assert (go(config(tmp_path, "backwards")) == one).all()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("taper", ["flat", "linear", "hann", "gaussian"])
@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_a_constant_network_stays_constant_and_an_identity_returns_its_input(
    tmp_path: Path, taper: str, augment: str
) -> None:
    tile = {**TILE, "taper": taper, "augment": augment}
    raw = scenes.read(_scene(tmp_path))
    valid = (raw != 0).any(0)
    for name, network, expected in (
        ("c", Constant(), np.float32([0.7, -1.3, 0.1])[:, None, None]),
        ("i", Identity(), (raw - 500) / 200),
    ):
        (tmp_path / "network.pt").unlink(missing_ok=True)
        made = logits(prepare_job(load_config(config(tmp_path, name, network, tile=tile))))
        assert np.isnan(made[:, ~valid]).all()
        assert np.abs(made - expected)[:, valid].max() < (1e-6 if name == "c" else 3e-6)


def _scene(folder: Path) -> Path:
    return scenes.scene(folder / "scene.tif", 150, 130)


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_raster_smaller_than_a_tile_is_padded_with_invalid_pixels(tmp_path: Path) -> None:
    raw = scenes.read(scenes.scene(tmp_path / "scene.tif", 21, 30))
    valid = (raw != 0).any(0)
    made = logits(prepare_job(load_config(config(tmp_path))))
    x = torch.zeros(1, 3, 64, 64)
    x[0, :, :21, :30] = torch.from_numpy((raw - 500) / 200 * valid)
    with torch.no_grad():
        whole = torch.jit.load(str(tmp_path / "network.pt"))(x)[0, :, :21, :30].numpy()
    assert np.abs(made - whole)[:, valid].max() < 1e-5


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("augment", "blend"), [("flips", "logits"), ("dihedral", "logits"), ("dihedral", "probabilities")]
)
def test_augmented_tiles_of_a_local_network_equal_the_augmented_whole(tmp_path: Path, augment: str, blend: str) -> None:
    made = logits(
        prepare_job(load_config(scenes.config(tmp_path, tile={"size": 96, "augment": augment, "blend": blend})))
    )
    raw = scenes.read(tmp_path / "scene.tif")
    valid = (raw != 0).any(0)
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]  # 300 × 420 px are whole strides
    network = torch.jit.load(str(tmp_path / "unet.pt"))
    with torch.no_grad():
        said = [turn.invert(network(turn.apply(x))) for turn in TTA_GROUPS[augment]]
    whole = torch.stack([torch.softmax(one, 1) if blend == "probabilities" else one for one in said]).mean(0)[0].numpy()
    assert np.abs(made - whole)[:, valid].max() < 1e-4
    assert np.abs(said[0][0].numpy() - whole)[:, valid].max() > 0.1, (
        "the turns make no difference, and the test could not fail"
    )


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_batch_of_tiles_gives_the_labels_of_one_at_a_time(tmp_path: Path) -> None:
    one = logits(prepare_job(load_config(config(tmp_path))))
    several = logits(prepare_job(load_config(config(tmp_path, "several", tile={**TILE, "batch": 5}))))
    assert np.nanmax(np.abs(one - several)) < 1e-4
    assert (np.isnan(one) == np.isnan(several)).all()


@pytest.mark.slow
def test_a_batch_is_refused_where_its_images_change_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tile\.batch is 5, but the images of a batch change each other"):
        prepare_job(load_config(config(tmp_path, network=OfTheBatch(), tile={**TILE, "batch": 5})))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_without_turns_is_not_resumed_with_them(tmp_path: Path) -> None:
    go(config(tmp_path))
    with pytest.raises(Exception, match=r"tile\.augment was none and is now flips"):
        prepare_job(load_config(config(tmp_path, tile={**TILE, "augment": "flips"})))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_plan_keeps_recomputed_tiles_below_a_tenth_and_counts_the_turns(tmp_path: Path) -> None:
    from pipeline.planning.describe import describe
    from pipeline.planning.plan_rows import plan_rows

    scenes.scene(tmp_path / "scene.tif", 2500, 1800)
    job = prepare_job(
        load_config(config(tmp_path, tile={**TILE, "augment": "flips"}, output={"chunk": 64, "block": "auto"}))
    )
    said = describe(job)
    assert said["blocks"]["count"] > 1
    assert 0 < said["recomputed"] <= 0.1
    counted = sum(tile.read.pixels for index in job.task.layout.blocks() for tile in job.task.layout.tiles(index)) / (
        2500 * 1800
    )
    assert said["arithmetic_overhead"] == pytest.approx(4 * counted, rel=1e-3)
    assert any(f"adds {said['recomputed']:.1%}" in text for _, text in plan_rows(job))


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ({"overlap": 0.5}, {"overlap": 0.25}, r"tile\.step was 32 and is now 48"),
        ({"overlap": "auto"}, {"overlap": 0.25}, r"tile\.step"),
        ({"overlap": 0.5}, {"overlap": 0}, r"tile\.step was 32 and is now 0"),
        ({"overlap": 0.5}, {"overlap": 32}, None),
        ({"overlap": "auto"}, {"overlap": 0.5}, None),
        ({"size": 61}, {"size": 61}, None),
        ({"size": 61}, {"size": 80}, r"tile\.size was 64 and is now 80"),
        ({"blend": "logits"}, {"blend": "probabilities"}, r"tile\.blend"),
        ({}, {"halo": {"tolerance": 0.1}, "overlap": "auto"}, r"tile\.tolerance was None and is now 0\.1"),
    ],
)
def test_a_store_is_resumed_with_the_same_tiles_only(
    tmp_path: Path, first: dict[str, Any], then: dict[str, Any], said: str | None
) -> None:
    scenes.scene(tmp_path / "scene.tif", 90, 80)
    go(config(tmp_path, tile={**TILE, **first}))
    if said is None:
        assert prepare_job(load_config(config(tmp_path, tile={**TILE, **then}))).complete
        return
    with pytest.raises(StoreError, match=said):
        prepare_job(load_config(config(tmp_path, tile={**TILE, **then})))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_another_training_size_is_another_job_and_blending_is_no_halo(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 90, 80)
    model = {"path": str(normed(tmp_path / "network.pt")), "input": {"mean": 500, "std": 200}}
    go(config(tmp_path, tile={}, model={**model, "input": {**model["input"], "size": 64}}))
    with pytest.raises(StoreError, match=r"tile\.size was 64 and is now 80"):
        prepare_job(load_config(config(tmp_path, tile={}, model={**model, "input": {**model["input"], "size": 80}})))
    with pytest.raises(StoreError, match=r"tile\.step was 0 and is now 48"):
        prepare_job(load_config(_local(tmp_path, overlap=0.5)))


def _local(folder: Path, **tile: Any) -> Path:
    with Progress() as progress:
        execute.execute(prepare_job(load_config(scenes.config(folder, "local", tile={"size": 96}))), progress)
    return scenes.config(folder, "local", tile={"size": 96, **tile})


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [0.5, 0.25])
def test_blended_tiles_may_begin_before_the_raster_in_its_mirror_image(overlap: float, tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 152, 220)
    tile = {"size": 64, "overlap": overlap, "pad": "reflect"}
    padded = go(config(tmp_path, tile=tile, output={"block": 64, "chunk": 32}))
    by = 64 - round(64 * (1 - overlap))
    mirrored = np.pad(scenes.read(tmp_path / "scene.tif"), ((0, 0), (by, by), (by, by)), mode="reflect")
    scenes.write(tmp_path / "mirrored.tif", mirrored, nodata=0)
    wide = go(config(tmp_path, "wide", source={"path": str(tmp_path / "mirrored.tif")}, tile={**tile, "pad": "none"}))
    assert (padded == wide[by:-by, by:-by]).all()
    assert (padded != go(config(tmp_path, "plain", tile={**tile, "pad": "none"}))).any()


@pytest.mark.slow
def test_a_raster_smaller_than_a_tile_is_mirrored_again_and_again(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 21, 17)
    path = config(tmp_path, tile={"size": 64, "overlap": 0.5, "pad": "reflect"})
    assert (go(path) < 4).any()
    assert "in its mirror image" in " ".join(prepare_job(load_config(path)).remarks)
