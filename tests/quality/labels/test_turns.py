"""Labels in a raster whose longitudes, or whose x, are a turn away from those of the image, against the code of the
place of each pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine

from pipeline.geometry.crs import turn_of
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.quality.labels import open_labels
from pipeline.quality.labels.raster import open_raster
from tests.quality.labels.places import CLASSES, grid

ROUND = 2 * 20037508.342789244
LAEA = "+proj=laea +lat_0=-16.5 +lon_0=180 +datum=WGS84"
IMAGES = {
    "degrees beyond 180": grid(60, 80, Affine(0.01, 0, 179.6, 0, -0.01, -16.2), "EPSG:4326"),
    "degrees below -180": grid(60, 80, Affine(0.01, 0, -180.4, 0, -0.01, -16.2), "EPSG:4326"),
    "west of it, another datum": grid(60, 40, Affine(0.01, 0, 179.6, 0, -0.01, -16.2), "EPSG:4167"),
    "UTM": grid(50, 60, Affine(1000, 0, 790_000, 0, -1000, 8_200_000), "EPSG:32760"),
}
LABELS = {
    "degrees beyond 180": grid(90, 120, Affine(0.01, 0, 179.4, 0, -0.01, -16), "EPSG:4326"),
    "degrees below -180": grid(90, 120, Affine(0.01, 0, -180.6, 0, -0.01, -16), "EPSG:4326"),
    "0 … 360": grid(14, 3600, Affine(0.1, 0, 0, 0, -0.1, -15.9), "EPSG:4326"),
    "-180 … 180": grid(14, 3600, Affine(0.1, 0, -180, 0, -0.1, -15.9), "EPSG:4326"),
    "Mercator beyond its edge": grid(120, 130, Affine(1000, 0, ROUND / 2 - 65_000, 0, -1000, -1_800_000), "EPSG:3857"),
    "Mercator below its edge": grid(120, 130, Affine(1000, 0, -ROUND / 2 - 65_000, 0, -1000, -1_800_000), "EPSG:3857"),
}


def codes(of: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Stripes of 0.1 degrees of longitude and latitude, of the places of a CRS."""
    lon, lat = pyproj.Transformer.from_crs(of.wkt, 4326, always_xy=True).transform(x, y)
    return ((np.floor((lon % 360) * 10 + 1e-6) + np.floor(lat * 10 + 1e-6)) % 3).astype("uint8")


def centres(of: Grid) -> tuple[np.ndarray, np.ndarray]:
    cols, rows = np.meshgrid(np.arange(of.width) + 0.5, np.arange(of.height) + 0.5)
    return Affine(*of.transform) * (cols, rows)


def write(path: Path, of: Grid) -> str:
    with rasterio.open(
        path,
        "w",
        "GTiff",
        of.width,
        of.height,
        1,
        crs=of.wkt,
        transform=Affine(*of.transform),
        dtype="uint8",
        nodata=255,
    ) as out:
        out.write(codes(of, *centres(of)), 1)
    return str(path)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("image", IMAGES)
def test_labels_are_where_they_are_on_whichever_side_they_are_counted(tmp_path: Path, image: str, labels: str) -> None:
    of = IMAGES[image]
    answer = open_labels(write(tmp_path / "labels.tif", LABELS[labels]), of, CLASSES).read(
        Window(row=0, col=0, height=of.height, width=of.width)
    )
    assert (answer != IGNORE).all()
    assert (answer != codes(of, *centres(of))).mean() < 0.12  # next to where stripes meet


def test_labels_far_from_the_antimeridian_are_read_once(tmp_path: Path) -> None:
    from pipeline.quality.labels.class_codes import label_mapping

    of, place = (grid(20, 20, Affine(0.01, 0, left, 0, -0.01, 40), "EPSG:4326") for left in (10, 10.05))
    assert open_raster(
        write(tmp_path / "labels.tif", place), of, label_mapping("labels.tif", CLASSES, None, ())
    ).turns == (0.0,)


@pytest.mark.parametrize(
    ("crs", "turn"), [("EPSG:4326", 360), ("EPSG:3857", ROUND), ("EPSG:3832", ROUND), ("EPSG:32760", 0), (LAEA, 0)]
)
def test_how_far_it_is_once_around(crs: str, turn: float) -> None:
    assert turn_of(crs) == pytest.approx(turn)
