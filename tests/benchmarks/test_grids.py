"""The benchmark of grids tells windows that differ from those that are the whole's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import grids
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources.regrid.regridded import Regridded
from tests.sources.regrid import rasters


def test_every_file_of_a_folder_is_compared_and_a_shifted_window_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "SIDE", 40)
    rasters.noise(tmp_path / "noise.tif")
    (tmp_path / "words.tif").write_text("no raster")
    done = CliRunner().invoke(grids.app, ["files", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "windows equal the whole; so does GDAL's whole" in done.output
    assert "| `words.tif` | exit 2: source.path is words.tif" in done.output
    read = Regridded.read

    def shifted(source: Regridded, window: Window) -> Pixels:
        return read(source, replace(window, row=window.row + (window.col > 0)))

    monkeypatch.setattr(Regridded, "read", shifted)
    done = CliRunner().invoke(grids.app, ["files", str(tmp_path)])
    assert (done.exit_code, "windows differ in" in done.output) == (1, True)
