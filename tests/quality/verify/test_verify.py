"""Stores that are right pass, and each way to be wrong is caught and named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr

from pipeline.errors import CertificateError, ModelError, StoreError
from pipeline.quality.verify import verify
from pipeline.quality.verify.certificate import require_passed
from pipeline.store import overviews
from pipeline.store.ledger import commit_block
from pipeline.store.overviews import OverviewTask
from tests import networks, scenes
from tests.quality.verify import made
from tests.sources.aoi.test_jobs import TOUCHED, drawn


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.store(tmp_path_factory.mktemp("good"), tile={"size": 96})


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """A store of one's own, moved away from where it was made."""
    return Path(shutil.copytree(good, tmp_path / "moved.zarr"))


@pytest.mark.slow
def test_a_store_with_an_exact_halo_equals_the_whole_at_its_seams(copy: Path) -> None:
    said = made.looked(copy)
    assert said["passed"], said["why"]
    assert said["why"].startswith("tiled equals whole")
    assert said["promise"] == {"kind": "exact", "limit": 1e-4}
    assert said["seams"]["windows"] == said["control"]["windows"] == 12
    assert said["seams"]["max"] < 1e-5
    assert said["seams"]["near"]["pixels"] > 1000
    assert said["seams"]["away"]["pixels"] > 1000
    assert said["labels"]["differ"] == said["labels"]["ties"]
    assert said["coverage"]["missing"] == 0
    assert said["coverage"]["blocks"] == said["coverage"]["committed"] == 12 + 3
    assert said["reference"]["halo"] > said["reference"]["of_the_run"] * 2


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    "sections",
    [
        {"tile": {"size": 96, "augment": "dihedral"}},
        {"output": {"zarr_format": 2}},
        {"output": {"shard": 128}},
        {"execution": {"precision": "bfloat16"}, "tile": {"size": 96}},
        {"model": {"classes": [{"name": name, "code": 1000 + k} for k, name in enumerate("abcd")]}},
        {
            "output": {
                "layers": ["mask", "probabilities", "entropy"],
                "min_confidence": 0.6,
                "probabilities_dtype": "float16",
            }
        },
    ],
    ids=["turned", "v2", "shards", "half", "codes", "layers"],
)
def test_other_stores_pass_as_well(tmp_path: Path, sections: dict[str, Any]) -> None:
    said = made.looked(made.store(tmp_path, **sections), windows=4)
    assert said["passed"], said["why"]
    assert said["seams"]["windows"] == 4


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_of_an_area_is_looked_at_there_alone(tmp_path: Path) -> None:
    drawn(tmp_path)
    path = made.store(tmp_path, source={"aoi": str(tmp_path / "area.gpkg")}, tile={"size": 72})
    said = made.looked(path)
    assert said["passed"], said["why"]
    assert said["coverage"]["blocks"] == said["coverage"]["committed"] == len(TOUCHED) + 3
    assert said["seams"]["windows"] == 12
    made.spoil(path, (0, 0), lambda values: np.where(values == values.max(), values.min(), values))
    assert not made.looked(path)["passed"]


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize(("tolerance", "halo"), [(0.2, None), (1e-9, 8)])
def test_a_store_is_held_to_the_tolerance_that_chose_its_halo(
    tmp_path: Path, tolerance: float, halo: int | None
) -> None:
    path = made.store(tmp_path, tile={"size": 96, "halo": {"tolerance": tolerance}})
    said = made.looked(path)
    assert said["passed"], said["why"]
    assert said["promise"] == (
        {"kind": "tolerance", "limit": tolerance} if halo is None else {"kind": "exact", "limit": 1e-4}
    )
    assert said["seams"]["max"] <= said["promise"]["limit"]


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_blended_store_is_promised_nothing_and_passes_until_a_tolerance_is_asked_for(tmp_path: Path) -> None:
    path = made.store(tmp_path, **made.blended(tmp_path))
    said = made.looked(path)
    assert said["passed"], said["why"]
    assert said["why"].startswith("nothing was promised")
    assert said["seams"]["max"] > 1e-3
    assert said["labels"]["differ"] == said["labels"]["ties"]
    asked = made.looked(path, tolerance=1e-3)
    assert not asked["passed"]
    with pytest.raises(CertificateError, match="tolerance asked for is not kept"):
        require_passed(path, asked)


@pytest.mark.nightly("jobs")
@pytest.mark.slow
def test_without_a_halo_labels_flip_at_seams_and_the_centres_are_clean(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 384, 512)  # whole blocks, so that centres are far from all edges of tiles
    path = made.store(tmp_path, tile={"size": 128, "halo": 0})
    said = made.looked(path)
    assert said["passed"], said["why"]
    assert said["seams"]["near"]["flips"] > 20
    assert said["seams"]["away"]["flips"] < said["seams"]["near"]["flips"] / 10
    assert said["control"]["flips"] == 0
    assert said["control"]["max"] < 1e-5 < 1e-2 < said["seams"]["max"]
    assert not made.looked(path, tolerance=1e-3)["passed"]
    assert made.looked(path, tolerance=100.0)["passed"]


@pytest.mark.slow
def test_a_raster_of_one_tile_has_no_seams(tmp_path: Path) -> None:
    said = made.looked(made.store(tmp_path, output={"block": 512}), windows=2)
    assert said["passed"]
    assert "one tile covers all of it" in said["why"]
    assert said["control"]["windows"] == 2


@pytest.mark.slow
def test_without_windows_the_chunks_alone_are_looked_at(good: Path) -> None:
    said = made.looked(good, windows=0)
    assert said["passed"]
    assert said["why"] == "every chunk is as it was committed; no seam was looked at, since no window was asked for"
    assert said["labels"]["pixels"] == 0


@pytest.mark.slow
def test_a_raster_without_a_valid_pixel_passes_by_its_chunks_alone(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 200, 150), "uint16"), nodata=0)
    said = made.looked(made.store(tmp_path))
    assert said["passed"]
    assert "no pixel that was drawn is valid" in said["why"]


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_with_a_single_block_of_data_is_looked_at_there(tmp_path: Path) -> None:
    raster = np.zeros((3, 1500, 1500), "uint16")
    raster[:, 1290:1330, 1170:1210] = 300 + np.arange(40)[:, None] * 10
    scenes.write(tmp_path / "scene.tif", raster, nodata=0)
    path = made.store(tmp_path)
    said = made.looked(path, windows=2)
    assert said["passed"], said["why"]
    assert said["labels"]["pixels"] > 1000
    made.spoil(path, (10, 9), lambda values: np.where(values == values.max(), values, 2).astype(values.dtype))
    assert "block 10,9" in made.looked(path, windows=2)["why"]


@pytest.mark.slow
def test_a_single_valid_pixel_of_a_block_is_compared(tmp_path: Path) -> None:
    raster = np.zeros((3, 700, 700), "uint16")
    raster[:, [10, 680], [10, 680]] = 500
    scenes.write(tmp_path / "scene.tif", raster, nodata=0)
    said = made.looked(made.store(tmp_path, output={"block": 704}), windows=1)
    assert said["labels"]["pixels"] >= 1


@pytest.mark.slow
def test_a_block_that_is_recorded_as_empty_must_have_no_valid_pixel(copy: Path) -> None:
    for layer, fill in (("mask", 255), ("confidence", 0)):
        zarr.open_array(copy / "0" / layer, mode="r+", config={"write_empty_chunks": False})[:128, 128:256] = fill
    job = made.job_of(copy, [])
    made.again(job, (0, 1), job.task.layout.window(made.BlockIndex(0, 1)), made.Ledger(copy).record((0, 1)) or {})
    assert "block 0,1" in made.looked(copy)["why"]


@pytest.mark.slow
def test_one_tile_that_is_shifted_is_caught_and_its_block_is_named(copy: Path) -> None:
    def shifted(values: np.ndarray) -> np.ndarray:
        values[:64, :64] = np.roll(values[:64, :64], 3, 1)
        return values

    made.spoil(copy, (0, 1), shifted)
    said = made.looked(copy)
    assert not said["passed"]
    assert {tuple(fault["block"]) for fault in said["faults"]} == {(0, 1)}
    assert "pixels of mask at rows" in said["why"]
    with pytest.raises(CertificateError, match=r"block 0,1: .*pixels of mask at rows"):
        require_passed(copy, said)


@pytest.mark.slow
def test_one_block_of_another_run_is_caught_and_named(copy: Path, tmp_path: Path) -> None:
    for name in ("scene.tif", "unet.pt"):
        shutil.copy(Path(made.meta(copy)["config"]["source"]["path"]).parent / name, tmp_path / name)
    other = made.store(tmp_path, "other", tile={"size": 96}, model={"input": {"mean": 480, "std": 210}})
    stale = {
        layer: np.asarray(zarr.open_array(other / "0" / layer, mode="r")[128:256, 256:384])
        for layer in ("mask", "confidence")
    }
    both = iter(stale.values())
    made.spoil(copy, (1, 2), lambda values: next(both))
    said = made.looked(copy)
    assert not said["passed"]
    assert {tuple(fault["block"]) for fault in said["faults"]} == {(1, 2)}


@pytest.mark.slow
def test_confidence_that_is_not_the_networks_is_caught(copy: Path) -> None:
    changed = iter([0, 5])  # the mask, then confidence
    made.spoil(
        copy, (0, 0), lambda values: np.where(next(changed), np.minimum(values, 250) + 5, values).astype(values.dtype)
    )
    said = made.looked(copy)
    assert not said["passed"]
    assert "pixels of confidence" in said["why"]


@pytest.mark.slow
def test_a_class_where_no_pixel_is_valid_is_caught(copy: Path) -> None:
    made.spoil(copy, (1, 1), lambda values: np.where(values == 255, 1, values).astype(values.dtype))
    assert "block 1,1" in made.looked(copy, windows=40)["why"]


@pytest.mark.slow
def test_a_block_without_a_valid_pixel_must_hold_nothing(tmp_path: Path) -> None:
    raster = np.full((3, 256, 256), 400, "uint16")
    raster[:, 128:, 128:] = 0
    scenes.write(tmp_path / "scene.tif", raster, nodata=0)
    path = made.store(tmp_path)
    made.spoil(
        path,
        (1, 1),
        lambda values: np.where(np.arange(values.size).reshape(values.shape) == 77, 3, values).astype(values.dtype),
    )
    said = made.looked(path, windows=4)["why"]
    assert "block 1,1: 1 of 16384 pixels of mask hold something, though no pixel of the block is valid" in said


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("level", [0, 1])
def test_a_chunk_outside_the_area_is_named(tmp_path: Path, zarr_format: int, level: int) -> None:
    scenes.scene(tmp_path / "scene.tif", 2600, 300)
    drawn(tmp_path)
    output = {"zarr_format": zarr_format, "layers": ["mask", "probabilities"]}
    path = made.store(tmp_path, source={"aoi": str(tmp_path / "area.gpkg")}, output=output)
    assert made.looked(path, windows=1)["passed"]
    zarr.open_array(path / str(level) / "probabilities", mode="r+")[1, -3:, :5] = 7
    row, col = (2600 // 128, 0) if not level else (1, 0)
    assert f"block {row},{col}: chunk {level}/probabilities/" in (said := made.looked(path, windows=1)["why"])
    assert "outside source.aoi" in said


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize(("layer", "level"), [("mask", 1), ("probabilities", 2)])
def test_an_overview_that_is_not_of_the_level_below_is_caught(tmp_path: Path, layer: str, level: int) -> None:
    path = made.store(
        tmp_path, output={"layers": ["mask", "probabilities", "entropy"], "probabilities_dtype": "float16"}
    )
    assert made.looked(path, windows=4)["passed"]
    array = zarr.open_array(path / str(level) / layer, mode="r+")
    array[..., 10, 10] = array[..., 10, 10] + 1
    job = made.job_of(path, [])
    over = OverviewTask(store=path, spec=job.spec, level=level)
    commit_block(path, level, (0, 0), over.window(made.BlockIndex(0, 0)), job.spec.layers, {})
    said = made.looked(path, windows=4)
    assert not said["passed"]
    assert "blocks are not what the level below makes of them" in said["why"]
    assert f"overview {level}, block 0,0: " in said["why"]
    assert f"values of {layer} are not" in said["why"]


@pytest.mark.slow
def test_progress_is_told_while_windows_are_looked_at(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PROGRESS_INTERVAL_S", 0.0)
    said: list[str] = []
    verify.verify(verify.job_of(good, []), said.append, windows=3)
    for words in ("3 of 15 blocks read", "blocks with windows inferred again", "6 of about 6 windows"):
        assert any(words in line for line in said), words


@pytest.mark.slow
def test_a_chunk_of_zeros_is_caught_by_its_checksum(copy: Path) -> None:
    zarr.open_array(copy / "0" / "mask", mode="r+")[64:128, 192:256] = 0
    said = made.looked(copy)
    assert not said["passed"]
    assert "block 0,1: chunk 0/mask/c/1/3 is not what was committed" in said["why"]
    assert "seams" not in said


def test_a_chunk_of_zeros_in_an_overview_is_caught(copy: Path) -> None:
    zarr.open_array(copy / "2" / "confidence", mode="r+")[:64, :64] = 0
    assert "overview 2, block 0,0: chunk 2/confidence/c/0/0" in made.looked(copy)["why"]


@pytest.mark.slow
def test_a_chunk_that_is_gone_is_named(copy: Path) -> None:
    (copy / "0" / "mask" / "c" / "3" / "5").unlink()
    assert "block 1,2: chunk 0/mask/c/3/5 is gone" in made.looked(copy)["why"]


@pytest.mark.slow
def test_bytes_that_were_recorded_but_do_not_decode_are_caught(copy: Path) -> None:
    (copy / "0" / "mask" / "c" / "0" / "0").write_bytes(b"no zstd at all")
    job = made.job_of(copy, [])
    made.again(job, (0, 0), job.task.layout.window(made.BlockIndex(0, 0)), made.Ledger(copy).record((0, 0)) or {})
    assert "block 0,0: mask cannot be read at rows 0–63, cols 0–127" in made.looked(copy)["why"]


@pytest.mark.slow
def test_a_chunk_that_a_record_says_is_empty_may_not_be_there(tmp_path: Path) -> None:
    raster = np.full((3, 256, 256), 400, "uint16")
    raster[:, 128:, 128:] = 0
    scenes.write(tmp_path / "scene.tif", raster, nodata=0)
    path = made.store(tmp_path)
    zarr.open_array(path / "0" / "mask", mode="r+")[200:210, 200:210] = 1
    assert "block 1,1: chunk 0/mask/c/3/3 is not what was committed" in made.looked(path)["why"]


@pytest.mark.slow
def test_a_block_without_a_record_makes_the_store_incomplete(copy: Path) -> None:
    (copy / "0" / "mask" / "ledger" / "r00001" / "b00002.json").unlink()
    said = made.looked(copy)
    assert not said["passed"]
    assert said["coverage"]["missing"] == 1
    with pytest.raises(CertificateError, match=r"block 1,2: not committed\. Run the job again"):
        require_passed(copy, said)


@pytest.mark.slow
def test_pixels_that_changed_under_the_same_size_and_time_are_noticed(tmp_path: Path) -> None:
    raster = scenes.scene(tmp_path / "compressed.tif")
    with rasterio.open(raster) as src:
        data = src.read()
    raster = scenes.write(tmp_path / "scene.tif", data, nodata=0, interleave="band")
    path = made.store(tmp_path, tile={"size": 96})
    before, raw = raster.stat(), bytearray(raster.read_bytes())
    at = raw.index(data[0, 20, 30:60].tobytes())
    raw[at] ^= 0x40
    raster.write_bytes(raw)
    os.utime(raster, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = made.looked(path)
    assert not said["passed"]
    assert "block 0,0: the source gives other pixels there" in said["why"]


@pytest.mark.slow
def test_a_network_or_source_that_is_gone_or_another_one_is_refused(tmp_path: Path) -> None:
    path = made.store(tmp_path)
    (tmp_path / "unet.pt").rename(tmp_path / "away.pt")
    with pytest.raises(ModelError, match="does not exist"):
        made.job_of(path, [])
    assert made.job_of(path, [f"model.path={tmp_path / 'away.pt'}"]).complete
    scenes.script(
        networks.lively(networks.UNet(), seed=9)
        if "seed" in networks.lively.__code__.co_varnames
        else networks.lively(networks.UNet(base=5)),
        tmp_path / "unet.pt",
    )
    with pytest.raises(StoreError, match="model"):
        made.job_of(path, [])


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_same_seed_looks_at_the_same_windows(good: Path) -> None:
    assert (
        made.looked(good, windows=3, seed=5)
        == made.looked(good, windows=3, seed=5)
        != made.looked(good, windows=3, seed=6)
    )


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_block_whose_tiles_were_halved_for_want_of_memory_is_judged_by_those_tiles(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 256, 256)
    path = made.store(tmp_path, tile={"size": 128, "halo": 0})
    halved = made.store(tmp_path, "halved", tile={"size": 64, "halo": 0})
    layers = iter(
        [np.asarray(zarr.open_array(halved / "0" / layer, mode="r")[:128, :128]) for layer in ("mask", "confidence")]
    )
    made.spoil(path, (0, 0), lambda values: next(layers))
    assert "block 0,0" in made.looked(path, windows=4)["why"]
    job, record = made.job_of(path, []), made.Ledger(path).record((0, 0)) or {}
    made.again(job, (0, 0), job.task.layout.window(made.BlockIndex(0, 0)), {**record, "halvings": 1})
    for level in range(1, job.spec.levels):
        shutil.rmtree(path / str(level) / "mask" / "ledger")
    overviews.build_overviews(path, job.spec)
    assert made.looked(path, windows=4)["passed"]
