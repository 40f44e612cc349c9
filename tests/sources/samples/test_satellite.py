from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.geometry.window import Window
from pipeline.sources import samples
from pipeline.sources.samples import satellite


@pytest.mark.slow
def test_a_scene_has_every_class_a_crs_a_nodata_wedge_and_labels_on_its_grid() -> None:
    uri = "sample://satellite?seed=4&size=1500"
    with rasterio.open(samples.sample_raster(uri)) as scene, rasterio.open(samples.labels(uri)) as labels:
        data, label = scene.read(), labels.read(1)
        assert (scene.crs.to_epsg(), scene.transform, scene.nodata, scene.dtypes[0]) == (
            32633,
            labels.transform,
            0,
            "uint16",
        )
        assert (labels.crs, labels.shape, labels.nodata, labels.dtypes[0]) == (scene.crs, scene.shape, 255, "uint8")
    outside = (data == 0).all(0)
    assert outside[0, 0]
    assert ((label == 255) == outside).all()
    assert set(np.unique(label)) >= {satellite.WATER, satellite.FOREST, satellite.FARMLAND, satellite.BUILT}
    red, infrared = data[2].astype(float), data[3].astype(float)
    ndvi = (infrared - red) / (infrared + red + 1)
    assert ndvi[label == satellite.FOREST].mean() > 0.6 > 0 > ndvi[label == satellite.WATER].mean()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_clouds_are_bright_and_labelled_where_they_hide_more_than_half() -> None:
    window = Window(row=0, col=0, height=1500, width=1500)
    data, label = satellite.render(window, 4, 1500)
    cover = satellite._cover(window, 4)
    inside = label != satellite.UNLABELLED
    assert ((label == satellite.CLOUD) == (cover > 0.5))[inside].all()
    assert data[0][inside & (cover == 1)].min() > 2 * np.median(data[0][inside & (cover == 0)])


def test_a_dark_pixel_never_looks_like_nodata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(satellite, "CROPS", [(0, 0, 0, 0)] * len(satellite.CROPS))
    data, label = satellite.render(Window(row=0, col=0, height=400, width=400), 4, 1500)
    assert {satellite.FARMLAND, satellite.UNLABELLED} <= set(np.unique(label))
    assert ((data == 0).any(0) == (label == satellite.UNLABELLED)).all()


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(tmp_path: Path) -> None:
    made = []
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        raster, labels = tmp_path / f"{name}.tif", tmp_path / f"{name}_labels.tif"
        satellite.make(raster, labels, seed, 300)
        made.append((raster.read_bytes(), labels.read_bytes()))
    assert made[0] == made[1]
    with rasterio.open(tmp_path / "first.tif") as first, rasterio.open(tmp_path / "other.tif") as other:
        assert (first.read() != other.read()).mean() > 0.5
