"""``sample://satellite``: a scene like Sentinel-2's, bands B, G, R, NIR, reflectance × 10⁴ at 10 m, nodata 0.

Made of random fields, not of any satellite's pixels: a river and lakes, forest, parcels of fields, towns with streets,
roads, clouds with their shadows, and the wedge that an orbit's edge leaves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window as RasterioWindow

from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.sources.samples.noise import Field, distance_to_zero, fractal, pixels, smooth

CLASSES = ("water", "forest", "fields", "built-up", "cloud")
WATER, FOREST, FARMLAND, BUILT, CLOUD = range(5)
UNLABELLED = 255
_PIECE = 1024
"""Side of the windows it is written in, px."""

REFLECTANCE = {
    WATER: (620, 560, 360, 190),
    FOREST: (280, 470, 300, 2900),
    BUILT: (1250, 1300, 1400, 1750),
    CLOUD: (6600, 6500, 6400, 6700),
}
CROPS = (
    (430, 760, 480, 4000),
    (520, 860, 640, 3300),
    (760, 1050, 1150, 2600),
    (980, 1250, 1620, 2150),
    (560, 900, 820, 2950),
)
"""From lush to ripe and bare."""


def make(raster: Path, labels: Path, seed: int, size: int) -> None:
    """Write a scene of ``size`` × ``size`` px and its labels, a window at a time."""
    profile = {
        "driver": "GTiff",
        "height": size,
        "width": size,
        "crs": "EPSG:32633",
        "transform": from_origin(500_000, 5_300_000, 10, 10),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "num_threads": 2,
    }
    with (
        rasterio.open(raster, "w", count=4, dtype="uint16", nodata=0, predictor=2, **profile) as scene,
        rasterio.open(labels, "w", count=1, dtype="uint8", nodata=UNLABELLED, **profile) as classes,
    ):
        scene.descriptions = ("blue", "green", "red", "near infrared")
        for rows in cut(size, _PIECE):
            for cols in cut(size, _PIECE):
                window = Window.of(rows, cols)
                data, label = render(window, seed, size)
                frame = RasterioWindow(window.col, window.row, window.width, window.height)
                scene.write(data, window=frame)
                classes.write(label, 1, window=frame)


def render(window: Window, seed: int, size: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Pixels (4, rows, cols) uint16 and labels (rows, cols) uint8 of one window of the scene."""
    label = _ground(window, seed)
    light = 1 + 0.22 * smooth(window, 300, seed + 90) + 0.06 * smooth(window, 37, seed + 91)
    ground = _reflectance(window, label, seed) * light
    cover = _cover(window, seed)
    shadow = _cover(Window(row=window.row + 34, col=window.col - 46, height=window.height, width=window.width), seed)
    ground *= 1 - 0.55 * np.clip(shadow - cover, 0, 1)
    cloud = np.array(REFLECTANCE[CLOUD], dtype=np.float32)[:, None, None] * (
        0.92 + 0.12 * fractal(window, (90, 40, 17), seed + 80)
    )
    scene = ground * (1 - cover) + cloud * cover
    noise = np.random.default_rng((seed, window.row, window.col)).normal(0, 1, scene.shape).astype(np.float32)
    scene += noise * (25 + 0.02 * scene)
    label = np.where(cover > 0.5, CLOUD, label).astype(np.uint8)
    outside = _outside(window, size)
    label[outside] = UNLABELLED
    data = np.clip(np.rint(scene), 1, 10_000).astype(np.uint16)
    data[:, outside] = 0
    return data, label


def _ground(window: Window, seed: int) -> npt.NDArray[np.uint8]:
    """Classes below the clouds."""
    label = np.full((window.height, window.width), FARMLAND, dtype=np.uint8)
    label[fractal(window, (900, 420, 170, 70), seed + 10) > 0.06] = FOREST
    label[fractal(window, (760, 300, 110), seed + 20) > 0.27] = BUILT
    lake = fractal(window, (800, 360, 140, 60), seed + 30) > 0.36
    river = distance_to_zero(window, (1900, 700, 260), seed + 40) < 15 + 5 * smooth(window, 400, seed + 41)
    label[lake | river] = WATER
    return label


def _reflectance(window: Window, label: npt.NDArray[np.uint8], seed: int) -> Field:
    """(4, rows, cols) float32 without light, clouds and noise."""
    scene = _parcels(window, seed)
    rough = fractal(window, (23, 9, 4), seed + 50, 0.8)
    canopy, town = 1 + 0.5 * rough, _town(window, seed)
    for code, texture in ((FOREST, canopy), (BUILT, town), (WATER, 1 + 0.12 * smooth(window, 160, seed + 51))):
        where = label == code
        scene[:, where] = np.array(REFLECTANCE[code], dtype=np.float32)[:, None] * texture[where]
    road = (distance_to_zero(window, (1300, 500), seed + 60) < 1.3) & (label != WATER)
    scene[:, road] = np.array((1150, 1200, 1280, 1500), dtype=np.float32)[:, None]
    return scene


def _parcels(window: Window, seed: int) -> Field:
    """Fields in strips of parcels, each with its crop and its lines of tillage."""
    rows, cols = np.meshgrid(
        np.arange(window.row, window.row + window.height),
        np.arange(window.col, window.col + window.width),
        indexing="ij",
    )
    bend = 22 * smooth(window, 800, seed + 70)
    u, v = rows * 0.92 + cols * 0.39 + bend, cols * 0.92 - rows * 0.39 + bend
    strip = np.floor(u / 64).astype(np.int64)
    lengths = 60 + 90 * pixels(strip, strip, seed + 71)
    parcel = np.floor(v / lengths).astype(np.int64)
    crop = (pixels(strip, parcel, seed + 72) * len(CROPS)).astype(int)
    vigour = 0.85 + 0.3 * pixels(strip, parcel, seed + 73)
    lines = 1 + 0.05 * np.sin(u * (0.9 + pixels(strip, parcel, seed + 74)))
    edge = np.where((u % 64 < 1.5) | (v % lengths < 1.5), 0.8, 1.0)
    table = np.array(CROPS, dtype=np.float32)
    return np.asarray(np.moveaxis(table[crop], -1, 0) * (vigour * lines * edge), dtype=np.float32)


def _town(window: Window, seed: int) -> Field:
    """Roofs of all brightnesses between streets."""
    rows, cols = np.meshgrid(
        np.arange(window.row, window.row + window.height),
        np.arange(window.col, window.col + window.width),
        indexing="ij",
    )
    u, v = rows * 0.8 + cols * 0.6, cols * 0.8 - rows * 0.6
    roof = pixels(np.floor(u / 4.3).astype(np.int64), np.floor(v / 5.1).astype(np.int64), seed + 75)
    street = (u % 34 < 2.6) | (v % 46 < 2.6)
    return np.where(street, 0.85, 0.45 + 1.1 * roof).astype(np.float32)


def _cover(window: Window, seed: int) -> Field:
    """Opacity of the clouds, 0…1, with soft edges."""
    thickness = fractal(window, (620, 280, 120, 50), seed + 81)
    return np.asarray(np.clip((thickness - 0.27) / 0.09, 0, 1), dtype=np.float32)


def _outside(window: Window, size: int) -> npt.NDArray[np.bool_]:
    """The wedge beyond the edge of the orbit."""
    rows = np.arange(window.row, window.row + window.height)[:, None] / size
    cols = np.arange(window.col, window.col + window.width)[None, :] / size
    return np.asarray(cols < 0.16 - 0.2 * rows)
