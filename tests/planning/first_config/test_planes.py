"""A first config of a file of several planes says which of them are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from pipeline.planning.first_config.planes import plane_select
from pipeline.sources import open_source
from tests import scenes
from tests.planning.first_config.first import written
from tests.sources.array_files.test_planes import NAMES, write_image

DATA = np.random.default_rng(0).integers(0, 4000, (4, 2, 40, 50)).astype("uint16")


def network(folder: Path, bands: int) -> str:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return scenes.script(torch.nn.Conv2d(bands, 2, 1).eval(), folder / "net.pt").name


@pytest.mark.parametrize(
    ("how", "select", "words"),
    [
        (
            {"ome": True, "metadata": {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}},
            {"z": 0, "channel": ["DAPI", "GFP"]},
            "GUESS: the first of z (4); max or mean makes one of all; all of channel (2: DAPI, GFP), as bands",
        ),
        ({"imagej": True, "metadata": {"axes": "TCYX"}}, {"time": 0, "channel": [0, 1]}, "the first of time (4)"),
        ({"metadata": None}, {"page": 0}, "the first of page (8)"),
    ],
)
def test_planes_of_a_tiff_are_selected(tmp_path: Path, how: dict[str, Any], select: dict[str, Any], words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DATA, photometric="minisblack", **how)
    made, config = written(tmp_path, network(tmp_path, len(select)), "a.tif")
    assert words in made.text
    assert config.source.select == select
    source = open_source(config.source)
    assert source.bands == (2 if "channel" in select else 1)


def test_a_tiff_of_one_plane_needs_no_select(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0])
    assert plane_select({"path": str(tmp_path / "a.tif")}) is None
    (tmp_path / "b.tif").write_text("no picture")
    assert plane_select({"path": str(tmp_path / "b.tif")}) is None


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_planes_of_an_ome_zarr_are_selected(tmp_path: Path, version: str) -> None:
    write_image(tmp_path / "a.zarr", np.zeros((2, 3, 4, 40, 50), "uint16") + 7, version)
    made, config = written(tmp_path, network(tmp_path, 3), "a.zarr")
    assert config.source.kind == "zarr"
    assert config.source.select == {"t": 0, "z": 0}
    assert f"c (3: {', '.join(NAMES)}), as bands" in made.text
    assert open_source(config.source).bands == 3
    given = {"kind": "zarr", "path": str(tmp_path / "a.zarr"), "select": {"z": "max"}}
    assert plane_select(given) is None
