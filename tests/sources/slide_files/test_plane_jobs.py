"""Jobs on planes of a hyperstack: what a config selects is what the network sees, and part of the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from pipeline.config.load import load_config
from pipeline.errors import StoreError
from pipeline.planning.plan_rows import plan_rows
from pipeline.running.execute import prepare_job
from tests import scenes, slides
from tests.running.test_execute import go, mask
from tests.sources.slide_files.test_jobs import network

STACK = np.stack([slides.tissue(160, seed).transpose(2, 0, 1) for seed in range(4)])
"""(z, channels, rows, cols)."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP", "Cy5"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, metadata=metadata, photometric="minisblack")
    tifffile.imwrite(tmp_path / "max.tif", STACK.max(0)[::-1], photometric="rgb", planarconfig="separate")
    return tmp_path


def config(folder: Path, name: str, source: dict[str, Any], **sections: Any) -> Path:
    model = {"path": str(network(folder)), "input": {"scale": 1 / 255}, "classes": scenes.CLASSES[:3]}
    return scenes.config(folder, name, source=source, model=model, **sections)


def chosen(folder: Path, **select: Any) -> dict[str, Any]:
    return {"path": str(folder / "a.ome.tif"), "select": select}


@pytest.mark.nightly("jobs")
def test_a_run_on_chosen_planes_equals_the_run_on_a_file_of_them(folder: Path) -> None:
    source = chosen(folder, channel=["Cy5", "GFP", "DAPI"], z="max")
    path = config(folder, "tiles", source, tile={"size": 48}, output={"chunk": 32, "block": 32})
    texts = [text for _, text in plan_rows(prepare_job(load_config(path)))]
    assert any("its z is the max of all 4" in text for text in texts)
    assert any("its bands are channel Cy5, GFP, DAPI" in text for text in texts)
    assert go(path).complete
    go(config(folder, "file", {"path": str(folder / "max.tif")}))
    assert (mask(folder, "tiles") == mask(folder, "file")).all()
    assert len(np.unique(mask(folder, "file"))) == 3
    axes = zarr.open(str(folder / "tiles.zarr"), mode="r").attrs.asdict()["ome"]["multiscales"][0]
    assert axes["axes"][-1]["unit"] == "micrometer"
    assert axes["datasets"][0]["coordinateTransformations"][0]["scale"][-1] == 0.5


@pytest.mark.slow
def test_a_store_goes_on_with_the_planes_that_it_was_made_of_alone(folder: Path) -> None:
    go(config(folder, "job", chosen(folder, channel=[0, 1, 2], z=1)))
    assert go(config(folder, "job", chosen(folder, channel=["DAPI", "GFP", "Cy5"], z=1))).complete
    with pytest.raises(StoreError, match=r"z 2.*z 1|z 1.*z 2"):
        go(config(folder, "job", chosen(folder, channel=[0, 1, 2], z=2)))
