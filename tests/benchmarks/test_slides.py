"""The benchmarks of slides write what they say, and measure runs on it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import slides, slides_peers
from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.only import open_areas


def test_the_middle_quarter_of_a_slide_is_tissue(tmp_path: Path) -> None:
    path = slides.write(tmp_path / "a.svs", 16384, (1, 4, 16), slides.middle)
    config = SourceConfig(kind="slide", path=str(path), only="tissue")
    area = open_areas(config, open_source(config)).area
    assert area is not None
    assert "on the slide's level 2" in area.notes[0]
    asked = area.read(Window(row=0, col=0, height=256, width=256), step=64)
    expected = np.abs(np.arange(256) + 0.5 - 128) < 64
    assert (asked == expected[:, None] & expected).all()


@pytest.mark.slow
@pytest.mark.nightly("scale")
def test_runs_on_slides_are_measured(tmp_path: Path) -> None:
    for options, row in ((["--side", "2048"], "| 512² |"), (["--tissue", "--side", "2048"], "| tissue | 256² |")):
        done = CliRunner().invoke(slides.app, [str(tmp_path), *options])
        assert done.exit_code == 0, done.output
        assert row in done.output
    slide, network = slides_peers.write_slide(tmp_path / "a.svs", 1024), slides_peers.write_network(tmp_path / "a.pt")
    run = slides_peers.measured("wholecloth", Path(sys.executable), tmp_path, slide, network)
    assert len(np.unique(slides_peers.read_mask(run.mask))) == 3
    assert min(run.cpu, run.seconds, run.peak) > 0
    text = slides_peers.table({"wholecloth": [run], "tiatoolbox": [run]})
    assert "| tiatoolbox / wholecloth | 1.00 | 1.00 | 1.00 | |" in text
    assert "0.00% of 512 × 512 px have other labels" in text
