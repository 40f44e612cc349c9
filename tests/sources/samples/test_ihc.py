import numpy as np
import pytest
import rasterio

from pipeline.sources import samples
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.samples import ihc


@pytest.mark.slow
def test_the_picture_is_in_micrometres_and_mirrors_into_larger_ones() -> None:
    with (
        rasterio.open(samples.sample_raster("sample://ihc")) as small,
        rasterio.open(samples.sample_raster("sample://ihc?size=1100")) as large,
    ):
        picture, mirrored = small.read(), large.read()
        assert (grid_of(small).unit, grid_of(small).pixel_size, small.crs) == ("um", (0.5, 0.5), None)
    assert picture.shape == (3, 512, 512)
    assert (mirrored == np.pad(picture, ((0, 0), (0, 588), (0, 588)), mode="symmetric")).all()


def test_labels_follow_the_stains() -> None:
    picture = ihc._picture()
    label = ihc.label_of(picture)
    brown, blue = picture[label == 2].mean(0), picture[label == 1].mean(0)
    assert brown[0] > brown[2]
    assert blue[2] > blue[0]
    assert np.bincount(label.ravel(), minlength=3).min() > 0.05 * label.size


def test_labels_are_mirrored_with_the_picture() -> None:
    label = ihc.label_of(ihc._picture())
    with rasterio.open(samples.labels("sample://ihc?size=1100")) as large:
        found = large.read(1)
    assert (found == np.pad(label, (0, 588), mode="symmetric")).all()
