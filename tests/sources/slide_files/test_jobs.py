"""Jobs whose source is a slide, and what of it reaches their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
import torch
import zarr
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import LabelsConfig
from pipeline.config.load import load_config
from pipeline.geometry.window import Window
from pipeline.planning.plan_rows import plan_rows
from pipeline.preview.pictures import raster_image
from pipeline.quality.labels import from_config
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.sources.band_tags import read_band_tags
from pipeline.sources.slide_files.slide_source import SlideSource
from pipeline.store.picture import open_picture
from pipeline.store.reader import open_store
from pipeline.store.spec import ClassRow
from pipeline.viewer.open_image import open_image
from pipeline.viewer.scene import StoreScene
from tests import scenes, slides
from tests.running.test_execute import digest, go, mask

ROWS = [ClassRow(code=code, name=name, color="#000000") for code, name in enumerate("ab")]


def network(folder: Path) -> Path:
    """Two convolutions of 3 px, whose classes are about as frequent."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 3, padding=1)
        ).eval()
        with torch.no_grad():
            noise = torch.from_numpy(np.moveaxis(slides.tissue(96), -1, 0)[None] / np.float32(255))
            net[2].bias -= net(noise)[0].flatten(1).median(1).values
    return scenes.script(net, folder / "net.pt")


def config(folder: Path, name: str = "job", source: Any = None, **sections: Any) -> Path:
    slide = folder / "a.svs"
    if not slide.exists():
        tissue = slides.tissue(400)
        slides.aperio(slide, [tissue, slides.squares(tissue, 4)])
    model = {"path": str(network(folder)), "input": {"scale": 1 / 255}, "classes": scenes.CLASSES[:3]}
    source = source or {"kind": "slide", "path": str(slide), "mpp": 0.5}
    return scenes.config(folder, name, source=source, model=model, **sections)


def level_centres(root: dict[str, Any]) -> np.ndarray:
    """(levels, 2) where OME has the centre of the first pixel of each level, µm."""
    changes = [row["coordinateTransformations"] for row in root["ome"]["multiscales"][0]["datasets"]]
    return np.array([level[1]["translation"] if len(level) > 1 else [0, 0] for level in changes])


@pytest.mark.slow
def test_a_run_at_any_size_equals_the_run_on_the_slide_resampled_beforehand(tmp_path: Path) -> None:
    path = config(tmp_path)
    job = prepare_job(load_config(path))
    assert isinstance(job.source, SlideSource)
    assert any("0.2528 µm per px, by Aperio's MPP" in text for _, text in plan_rows(job))
    assert go(path).complete
    step = 0.5 / 0.2528
    whole = slides.averaged(tifffile.imread(tmp_path / "a.svs", key=0), (step, step), (202, 202))
    beforehand = np.floor(whole + 0.5).astype("uint8").transpose(2, 0, 1)
    place = rasterio.Affine(0.5, 0, 0, 0, 0.5, 0)
    with rasterio.open(
        tmp_path / "b.tif", "w", driver="GTiff", count=3, height=202, width=202, dtype="uint8", transform=place
    ) as out:
        out.update_tags(WHOLECLOTH_UNIT="um")
        out.write(beforehand)
    go(config(tmp_path, "file", source={"path": str(tmp_path / "b.tif")}))
    assert (mask(tmp_path) == mask(tmp_path, "file")).all()
    assert len(np.unique(mask(tmp_path))) == 3
    roots = [zarr.open(str(tmp_path / f"{name}.zarr"), mode="r").attrs.asdict() for name in ("job", "file")]
    # OME counts from the centre of a pixel of level 0, which is half a pixel of the slide from its corner
    centres = [level_centres(root) for root in roots]
    assert centres[0] == pytest.approx(centres[1] + (0.5 - 0.2528) / 2, abs=1e-12)
    assert roots[0]["spatial:transform"] == roots[1]["spatial:transform"] == [0.5, 0, 0, 0, 0.5, 0]
    go(config(tmp_path, "tiles", tile={"size": 48}, output={"chunk": 32, "block": 32}))
    assert (mask(tmp_path) == mask(tmp_path, "tiles")).all()
    go(config(tmp_path, "threads", execution={"engine": "threads", "workers": 3}))
    assert digest(tmp_path / "threads.zarr") == digest(tmp_path / "job.zarr")
    assert verify(job_of(tmp_path / "job.zarr", []), lambda line: None, windows=1)["passed"]


@pytest.mark.slow
def test_files_of_a_slide_lie_on_level_0_and_tell_nothing_of_the_patient(tmp_path: Path) -> None:
    source = {"kind": "slide", "path": str(tmp_path / "a.svs"), "level": 1}
    go(config(tmp_path, source=source, output={"exports": ["cog", "qupath"], "report": True, "picture": True}))
    document = json.loads((tmp_path / "job.qupath.geojson").read_text())
    rings = [ring for part in document["features"] for ring in part["geometry"]["coordinates"]]
    assert {0, 400} <= {x for ring in rings for x, _ in ring} <= set(range(0, 401, 4))
    with rasterio.open(tmp_path / "job.mask.tif") as cog:
        assert cog.transform.a * 100 == pytest.approx(0.2528 * 400)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "a.svs"]
    assert len(files) > 10
    assert not any(b"secret-name" in content for content in files)


@pytest.mark.slow
def test_colours_of_a_slide_are_shown_as_a_microscope_shows_them(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    go(config(tmp_path, output={"picture": True}))
    picture = open_picture(store)
    assert picture is not None
    assert picture.stretch == ((0, 255),) * 3
    for allow_source in (False, True):
        assert open_image(StoreScene(store), allow_source).range_of(1) == (0, 255)
    source = prepare_job(load_config(tmp_path / "job.yaml")).source
    tags = read_band_tags(source)
    pixels = source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))
    image = raster_image(source, tags, source.grid.width)
    assert image is not None
    assert (image == np.moveaxis(pixels.data, 0, -1)).all()


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"level": 1}, {"mpp": 0.5}])
def test_polygons_of_qupath_lie_on_level_0_whatever_is_read(tmp_path: Path, keys: dict[str, Any]) -> None:
    left, top, right, bottom = 101, 49, 261, 301
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    drawn = {"type": "Feature", "properties": {"class": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "drawn.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [drawn]}))
    source = {"kind": "slide", "path": str(tmp_path / "a.svs"), "only": str(tmp_path / "drawn.geojson"), **keys}
    go(config(tmp_path, source=source))
    step = 4 if "level" in keys else 0.5 / 0.2528
    for level in (0, 1):
        grid = open_store(tmp_path / "job.zarr", level).grid
        rows, cols = ((np.arange(count) + 0.5) * step * 2**level for count in (grid.height, grid.width))
        inside = ((rows > top) & (rows < bottom))[:, None] & ((cols > left) & (cols < right))
        labels = from_config(LabelsConfig(path=str(tmp_path / "drawn.geojson"), burn="a"), grid, ROWS)
        whole = Window(row=0, col=0, height=grid.height, width=grid.width)
        assert ((labels.read(whole) == 0) == inside).all()
        if level == 0:
            assert ((mask(tmp_path) != 255) == inside).all()


def test_init_reads_a_slide_and_says_who_tells_its_size(tmp_path: Path) -> None:
    slides.aperio(tmp_path / "a.svs", [slides.tissue(256)])
    done = CliRunner().invoke(
        app, ["init", str(network(tmp_path)), str(tmp_path / "a.svs"), "--out", str(tmp_path / "job.yaml")]
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "job.yaml").read_text()
    assert "kind: slide" in text
    assert "0.2528 µm per px, by Aperio's MPP" in " ".join(text.replace("#", "").split())
    assert isinstance(prepare_job(load_config(tmp_path / "job.yaml")).source, SlideSource)
