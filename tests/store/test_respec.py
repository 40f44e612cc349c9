from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.load import load_config
from pipeline.errors import StoreError
from pipeline.planning.prepare import prepare_job
from pipeline.store.lifecycle import create
from pipeline.store.respec import read_spec
from tests import scenes

EVERY = ["mask", "confidence", "probabilities", "entropy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"output": {"layers": EVERY, "zarr_format": 2}},
        {"output": {"layers": ["confidence", "mask"], "shard": 128, "pyramid": False}},
        {"output": {"layers": EVERY, "probabilities_dtype": "float16", "min_confidence": 0.4, "shard": 64}},
        {
            "model": {
                "classes": [
                    {"name": name, "code": 900 + k, "role": "ignore" if k else None} for k, name in enumerate("wxyz")
                ]
            }
        },
    ],
)
def test_a_store_says_all_of_the_spec_that_it_was_made_by(tmp_path: Path, sections: dict[str, Any]) -> None:
    job = prepare_job(load_config(scenes.config(tmp_path, **sections)))
    create(job.path, job.spec, job.meta())
    found = read_spec(job.path)
    assert (found.grid, found.classes, found.layers, found.levels) == (
        job.spec.grid,
        job.spec.classes,
        job.spec.layers,
        job.spec.levels,
    )
    assert found.axis == job.spec.axis
    for name in (name for name in job.spec.__dataclass_fields__ if name != "class_codes"):
        assert getattr(found, name) == getattr(job.spec, name), name


@pytest.mark.slow
@pytest.mark.parametrize("transform", [None, (0.25, 0.0, 3.0, 0.0, 0.25, 4.0), (0.2, 0.15, 0.0, 0.15, -0.2, 0.0)])
def test_a_grid_without_a_crs_comes_back_with_its_unit(tmp_path: Path, transform: tuple[float, ...] | None) -> None:
    from rasterio.transform import Affine

    said: dict[str, Any] = {} if transform is None else {"transform": Affine(*transform)}
    path = scenes.write(tmp_path / "scene.tif", np.ones((3, 90, 70), "uint16"), crs=None, **said)
    if transform is not None:
        import rasterio

        with rasterio.open(path, "r+") as raster:
            raster.update_tags(WHOLECLOTH_UNIT="um")
    job = prepare_job(load_config(scenes.config(tmp_path)))
    create(job.path, job.spec, job.meta())
    assert job.spec.grid.unit == ("px" if transform is None else "um")
    assert read_spec(job.path).grid == job.spec.grid


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["config", "tiles", "fingerprint", "classes"])
def test_a_root_that_lost_what_is_needed_is_damaged(tmp_path: Path, gone: str) -> None:
    job = prepare_job(load_config(scenes.config(tmp_path)))
    create(job.path, job.spec, job.meta())
    root = json.loads((job.path / "zarr.json").read_text())
    root["attributes"]["wholecloth"][gone] = {"of": "nothing"}
    (job.path / "zarr.json").write_text(json.dumps(root))
    if gone == "fingerprint":
        assert read_spec(job.path).grid == job.spec.grid
        return
    with pytest.raises(StoreError, match="is damaged"):
        read_spec(job.path)
