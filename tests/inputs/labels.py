"""Labels by the form of their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.transform import from_origin

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.quality.labels import open_labels
from pipeline.sources import open_source
from pipeline.store.spec import ClassRow
from tests import scenes, vector_files
from tests.inputs.rows import row

CLASSES = tuple(
    ClassRow(code=code, name=name, color="#000000", role=None) for code, name in enumerate(("water", "forest", "field"))
)
HEIGHT, WIDTH = 40, 50


def opened(folder: Path, path: Path, **more: Any) -> str:
    """Open labels as `evaluate` does, over an image of 40 × 50 px with the classes water, forest and field."""
    grid = open_source(SourceConfig(path=str(scenes.write(folder / "image.tif", scenes.position(HEIGHT, WIDTH))))).grid
    codes = open_labels(path, grid, CLASSES, **more).read(Window(row=0, col=0, height=HEIGHT, width=WIDTH))
    names = {**{each.code: each.name for each in CLASSES}, 255: "unknown"}
    counts = dict(zip(*(part.tolist() for part in np.unique(codes, return_counts=True)), strict=True))
    return ", ".join(f"{names.get(code, 'unknown')} {count} px" for code, count in counts.items())


def codes() -> np.ndarray:
    return (np.arange(HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH) // 700).astype("uint8")


@row("labels", "a raster of class codes")
def raster(folder: Path) -> str:
    return opened(folder, scenes.write(folder / "labels.tif", codes()))


@row("labels", "a raster whose nodata is 255")
def nodata(folder: Path) -> str:
    values = codes()
    values[:, :10] = 255
    return opened(folder, scenes.write(folder / "labels.tif", values, nodata=255))


@row("labels", "a raster of coarser pixels")
def coarser(folder: Path) -> str:
    return opened(
        folder,
        scenes.write(folder / "labels.tif", codes()[:, ::2, ::2], transform=from_origin(500_000, 4_600_000, 20, 20)),
    )


@row("labels", "a raster of a code that is no class")
def strange_code(folder: Path) -> str:
    return opened(folder, scenes.write(folder / "labels.tif", codes() + 5))


@row("labels", "the same with `--values 5=water,6=forest,7=field`")
def values_named(folder: Path) -> str:
    return opened(
        folder, scenes.write(folder / "labels.tif", codes() + 5), values={5: "water", 6: "forest", 7: "field"}
    )


@row("labels", "a raster somewhere else")
def elsewhere(folder: Path) -> str:
    return opened(
        folder, scenes.write(folder / "labels.tif", codes(), transform=from_origin(900_000, 4_600_000, 10, 10))
    )


@row("labels", "a raster of three bands")
def bands(folder: Path) -> str:
    return opened(folder, scenes.write(folder / "labels.tif", np.repeat(codes(), 3, 0)))


@row("labels", "a path that does not exist")
def absent(folder: Path) -> str:
    return opened(folder, folder / "absent.tif")


def polygons(path: Path, geometry: str = "Polygon", **fields: str) -> Path:
    shape = shapely.box(500_100, 4_599_700, 500_300, 4_599_900)
    drawn = [shape if geometry == "Polygon" else shape.centroid]
    data = [np.array([value]) for value in fields.values()]
    vector_files.write(
        path,
        geometry=shapely.to_wkb(drawn),
        field_data=data,
        fields=list(fields),
        crs="EPSG:32633",
        driver="GPKG",
        geometry_type=geometry,
    )
    return path


@row("labels", "polygons with `--attribute kind`")
def attribute(folder: Path) -> str:
    return opened(folder, polygons(folder / "labels.gpkg", kind="forest"), attribute="kind")


@row("labels", "polygons that all mean one class (`--burn forest`)")
def burn(folder: Path) -> str:
    return opened(folder, polygons(folder / "labels.gpkg", kind="x"), burn="forest")


@row("labels", "polygons of which nothing says the class")
def unsaid(folder: Path) -> str:
    return opened(folder, polygons(folder / "labels.gpkg", kind="forest"))


@row("labels", "polygons with an attribute that they lack")
def misspelt(folder: Path) -> str:
    return opened(folder, polygons(folder / "labels.gpkg", kind="forest"), attribute="kinds")


@row("labels", "points")
def points(folder: Path) -> str:
    return opened(folder, polygons(folder / "labels.gpkg", "Point", kind="forest"), attribute="kind")
