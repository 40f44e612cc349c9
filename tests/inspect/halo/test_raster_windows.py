from pathlib import Path

import shapely
import torch

from pipeline.config.load import load_config
from pipeline.geometry.window import Window
from pipeline.inference.normalise import Normalisation
from pipeline.inspect.halo.raster_windows import probe_windows
from pipeline.sources import open_source
from pipeline.sources.aoi import open_area
from tests import scenes
from tests.quality.labels.places import UTM
from tests.sources.aoi.shapes import placed, write


def test_places_lie_on_the_stride_and_prefer_valid_pixels(tmp_path: Path) -> None:
    data = scenes.position(400, 400)
    data[:, :, :250] = 0
    source = open_source(
        load_config(
            scenes.config(tmp_path, source={"path": str(scenes.write(tmp_path / "half.tif", data, nodata=0))})
        ).source
    )
    how = Normalisation(scale=(1.0,) * 3, offset=(0.0,) * 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    found = probe_windows(source, how, torch.device("cpu"), side=64, multiple=8, count=3, seed=0)
    assert len(found) == 3
    for x, valid in found:
        assert valid.mean() >= 0.95
        assert x.shape == (1, 3, 64, 64)
        assert (int(x[0, 0, 0, -1]) - 1) % 8 == 0, "the row of its first pixel"
    again = probe_windows(source, how, torch.device("cpu"), side=64, multiple=8, count=3, seed=0)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(found, again, strict=True))


def test_places_lie_where_an_area_asks_and_nothing_else_counts(tmp_path: Path) -> None:
    data = scenes.position(400, 400)
    source = open_source(
        load_config(scenes.config(tmp_path, source={"path": str(scenes.write(tmp_path / "all.tif", data))})).source
    )
    how = Normalisation(scale=(1.0,) * 3, offset=(0.0,) * 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    shape = shapely.MultiPolygon([shapely.box(30, 300, 70, 340), shapely.box(350, 20, 352, 60)])
    area = open_area(str(write(tmp_path / "area.gpkg", placed(shape, source.grid), UTM)), source.grid)
    found = probe_windows(source, how, torch.device("cpu"), side=64, multiple=8, count=3, seed=0, area=area)
    assert len(found) == 3
    for x, counts in found:
        row, col = int(x[0, 0, 0, 0]) - 1, int(x[0, 1, 0, 0]) - 1
        assert (counts == area.read(Window(row=row, col=col, height=64, width=64))).all()
        assert counts.any()
        assert not counts.all()
