from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline import samples
from pipeline.errors import SourceError
from pipeline.raster.window import Window
from pipeline.samples import ihc, noise, satellite
from pipeline.sources.georeference import grid_of


def test_a_field_is_the_same_whatever_window_it_is_seen_through() -> None:
    whole = noise.fractal(Window(row=0, col=0, height=90, width=120), (40, 13), 5)
    part = noise.fractal(Window(row=31, col=47, height=20, width=30), (40, 13), 5)
    assert np.allclose(whole[31:51, 47:77], part, atol=1e-6)
    assert whole.std() > 0.1


def test_a_scene_has_every_class_a_crs_a_nodata_wedge_and_labels_on_its_grid() -> None:
    uri = "sample://satellite?seed=4&size=1500"
    with rasterio.open(samples.resolve(uri)) as scene, rasterio.open(samples.labels(uri)) as labels:
        data, label = scene.read(), labels.read(1)
        assert (scene.crs.to_epsg(), scene.transform, scene.nodata, scene.dtypes[0]) == (32633, labels.transform, 0, "uint16")
    outside = (data == 0).all(0)
    assert outside[0, 0]
    assert ((label == 255) == outside).all()
    assert set(np.unique(label)) >= {satellite.WATER, satellite.FOREST, satellite.FIELDS, satellite.BUILT}
    red, infrared = data[2].astype(float), data[3].astype(float)
    ndvi = (infrared - red) / (infrared + red + 1)
    assert ndvi[label == satellite.FOREST].mean() > 0.6 > 0 > ndvi[label == satellite.WATER].mean()


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    window = Window(row=128, col=256, height=64, width=64)
    first, again, other = (satellite.render(window, seed, 1024)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).mean() > 0.5


def test_the_picture_is_in_micrometres_and_mirrors_into_larger_ones() -> None:
    with rasterio.open(samples.resolve("sample://ihc")) as small, rasterio.open(samples.resolve("sample://ihc?size=1100")) as large:
        picture, mirrored = small.read(), large.read()
        assert (grid_of(small).unit, grid_of(small).pixel_size, small.crs) == ("um", (0.5, 0.5), None)
    assert picture.shape == (3, 512, 512)
    assert (mirrored[:, :512, :512] == picture).all()
    assert (mirrored[:, :512, 512:1024] == picture[:, :, ::-1]).all()


def test_labels_follow_the_stains() -> None:
    picture = ihc._picture()
    label = ihc.label_of(picture)
    brown, blue = picture[label == 2].mean(0), picture[label == 1].mean(0)
    assert brown[0] > brown[2]
    assert blue[2] > blue[0]


def test_a_sample_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = samples.resolve("sample://ihc?size=256")
    monkeypatch.setitem(samples.KINDS, "ihc", samples.Kind(make=lambda *_: pytest.fail("made again"), seed=0, size=512))
    assert samples.resolve("sample://ihc?size=256") == first


def test_both_files_are_copied_on_request(tmp_path: Path) -> None:
    made = samples.materialise("ihc?size=64", tmp_path / "new")
    assert made.raster.exists()
    assert made.labels.exists()


@pytest.mark.parametrize("uri", ["sample://moon", "sample://ihc?colour=1", "sample://ihc?size=big"])
def test_what_is_no_sample_is_told(uri: str) -> None:
    with pytest.raises(SourceError, match="sample"):
        samples.resolve(uri)
