"""Jobs whose source is read on another grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config.load import load_config
from pipeline.errors import StoreError
from pipeline.geometry.window import Window
from pipeline.locations import Remote
from pipeline.planning.plan_rows import plan_rows
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.sources.regrid.regridded import Regridded
from pipeline.store.files import files_at
from pipeline.store.status import status
from tests import runs, scenes
from tests.running.test_execute import digest, go, mask
from tests.storage import BUCKET, Storage

GRID = {"crs": "EPSG:32632", "resolution": 12}


def config(folder: Path, name: str = "job", grid: Any = GRID, **sections: Any) -> Path:
    """A job on a small scene that is read on a grid."""
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", 160, 200)
    source = {"path": str(folder / "scene.tif"), "grid": grid, **sections.pop("source", {})}
    return scenes.config(folder, name, source=source, **sections)


def warped_beforehand(folder: Path, source: Regridded) -> Path:
    """The scene on its grid as a file, with nodata where it is invalid."""
    whole = source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))
    data = np.where(whole.valid, whole.data, 0)
    return scenes.write(
        folder / "warped.tif", data, nodata=0, crs="EPSG:32632", transform=rasterio.Affine(*source.grid.transform)
    )


@pytest.mark.slow
def test_a_run_on_a_grid_equals_the_run_on_the_raster_warped_beforehand(tmp_path: Path) -> None:
    path = config(tmp_path)
    job = prepare_job(load_config(path))
    assert isinstance(job.source, Regridded)
    assert "being decoded or resampled" in job.plan.buffers
    assert any("it is warped to EPSG:32632 by bilinear: a pixel is 12 × 12 m" in text for _, text in plan_rows(job))
    assert job.fingerprint["source.warp"]["scale"] == list(job.source.scale)
    report = go(path)
    assert report.complete
    beforehand = warped_beforehand(tmp_path, job.source)
    go(scenes.config(tmp_path, "file", source={"path": str(beforehand)}))
    assert (mask(tmp_path) == mask(tmp_path, "file")).all()
    go(config(tmp_path, "tiles", tile={"size": 96}, output={"block": 64}))
    assert (mask(tmp_path) == mask(tmp_path, "tiles")).all()
    assert (mask(tmp_path) != 255).mean() > 0.5
    certificate = verify(job_of(tmp_path / "job.zarr", []), lambda line: None, windows=1)
    assert certificate["passed"]


@pytest.mark.nightly("jobs")
def test_a_store_goes_on_with_its_own_grid_and_refuses_another(tmp_path: Path) -> None:
    go(config(tmp_path))
    reference = digest(tmp_path / "job.zarr")
    with pytest.raises(StoreError, match=r"source\.(grid|warp) was"):
        go(config(tmp_path, grid={**GRID, "resolution": 13}))
    with pytest.raises(StoreError, match=r"source\.warp was"):
        go(config(tmp_path, source={"resampling": "cubic"}))
    with pytest.raises(StoreError, match=r"source\.grid was"):
        go(config(tmp_path, grid=None))
    assert go(config(tmp_path)).complete
    assert digest(tmp_path / "job.zarr") == reference


@pytest.mark.nightly("jobs")
def test_shards_and_finish_on_a_grid_of_a_remote_raster_make_the_store_of_one_run_on_disk(
    s3: Storage, tmp_path: Path
) -> None:
    path = config(tmp_path, output={"block": 64})
    go(path)
    files_at(Remote(f"s3://{BUCKET}/{tmp_path.name}")).put("scene.tif", (tmp_path / "scene.tif").read_bytes())
    remote = f"s3://{BUCKET}/{tmp_path.name}/scene.tif"
    shared = config(tmp_path, "shared", source={"path": remote}, output={"block": 64})
    for shard in runs.shards(2):
        runs.go(shared, shard=shard)
    code, _, err = runs.wait(runs.start("finish", tmp_path / "shared.zarr"))
    assert code == 0, err
    first, second = (runs.arrays(tmp_path / f"{name}.zarr") for name in ("job", "shared"))
    assert {key: digest for key, digest in first.items() if "ledger" not in key} == {
        key: digest for key, digest in second.items() if "ledger" not in key
    }
    assert status(tmp_path / "shared.zarr").complete
