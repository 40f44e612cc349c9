"""The networks people bring: what each is found to be, and what is done about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from tests import networks, scenes
from tests.networks.families import FAMILIES

BLAME = {
    "U-Net, instance norm": "InstanceNorm2d",
    "U-Net, group norm": "GroupNorm",
    "U-Net, squeeze and excite": "adaptive pooling",
    "SegFormer-like": "attention",
}


def job(folder: Path, name: str, run: str, block: int = 128, **tile: object) -> Job:
    path = folder / "network.pt"
    if not path.exists():
        scenes.script(networks.lively(FAMILIES[name](3, 4)), path)
    model = {"path": str(path), "input": {"mean": 500, "std": 200, "size": 96}}
    return prepare_job(
        load_config(scenes.config(folder, run, model=model, tile=tile, output={"chunk": 64, "block": block}))
    )


def mask(of: Job) -> np.ndarray:
    with Progress() as progress:
        execute(of, progress)
    return np.asarray(zarr.open_array(of.path / "0" / "mask", mode="r")[:])


BY_DAY = ("U-Net, batch norm",)
"""How blended ones run is tested by tests/test_run_blended.py as well."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in BY_DAY else pytest.param(name, marks=pytest.mark.nightly("networks")) for name in FAMILIES]
)
def test_each_family_gets_its_verdict_and_a_scheme_that_does_not_depend_on_blocks(tmp_path: Path, name: str) -> None:
    scenes.scene(tmp_path / "scene.tif", 192, 256)
    one = job(tmp_path, name, "one")
    local = name not in BLAME
    assert one.locality.verdict == ("local" if local else "not local")
    assert (one.plan.tiles.halo is not None, one.plan.tiles.exact) == (local, local)
    labels = mask(one)
    assert len(np.unique(labels)) > 2
    assert (labels == mask(job(tmp_path, name, "other", block=320))).all()
    if local:
        raw = scenes.read(tmp_path / "scene.tif")
        valid = (raw != 0).any(0)
        with torch.no_grad():
            whole = (
                torch.jit.load(str(tmp_path / "network.pt"))(torch.from_numpy((raw - 500) / 200 * valid)[None])[0]
                .argmax(0)
                .numpy()
            )
        assert (labels == np.where(valid, whole, 255)).all()
    else:
        assert any(BLAME[name] in layer for layer in one.locality.blame)
        assert (one.plan.tiles.size, one.plan.tiles.step, one.plan.tiles.taper) == (96, 48, "hann")
        with pytest.raises(ConfigError, match=f"not local.*{BLAME[name]}"):
            job(tmp_path, name, "exact", halo="exact")
