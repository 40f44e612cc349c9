"""What is said of areas that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import shapely

from pipeline.config import AreaConfig
from pipeline.errors import ExtraError, SourceError
from pipeline.geometry.grid import Grid
from pipeline.sources.aoi import open_area
from tests import vector_files
from tests.quality.labels.places import DEGREES, UTM
from tests.sources.aoi.shapes import OF, SHAPES, placed, plain, write

HERE = placed(SHAPES["a triangle"], OF)


def refused(path: Path, words: str, of: Grid = OF, **more: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        open_area(AreaConfig(path=str(path), **more), of)
    said = str(caught.value)
    assert "\n" not in said
    assert "labels" not in said
    assert said.startswith("The polygons of source.aoi, ")


def test_a_file_that_is_missing_or_no_polygons_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "gone.gpkg", r"gone\.gpkg: the file does not exist\. Give polygons")
    (tmp_path / "text.geojson").write_text("not at all")
    refused(tmp_path / "text.geojson", "cannot be opened as polygons")


@pytest.mark.parametrize("ending", ["geojson", "gpkg"])
def test_points_and_lines_are_refused_also_with_heights(tmp_path: Path, ending: str) -> None:
    for kind, shape in (
        ("Point", shapely.Point(15, 41)),
        ("Point Z", shapely.Point(15, 41, 3)),
        ("LineString", shapely.LineString([(15, 41), (16, 42)])),
    ):
        path = tmp_path / f"{kind.replace(' ', '')}.{ending}"
        vector_files.write(
            path, geometry=shapely.to_wkb([shape]), field_data=[], fields=[], crs=DEGREES, geometry_type=kind
        )
        refused(path, "which cover no pixel. Give polygons")


def test_points_among_nothing_else_in_a_layer_of_any_kind_are_no_polygons(tmp_path: Path) -> None:
    refused(
        write(tmp_path / "a.gpkg", shapely.Point(15.001, 41.545)), "hold no polygon in their layer a. Give polygons"
    )


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    refused(tmp_path / "a.geojson", "hold no feature")


def test_an_area_elsewhere_is_refused_with_both_extents_in_the_rasters_crs(tmp_path: Path) -> None:
    far = placed(shapely.box(5000, 5000, 5010, 5010), OF, DEGREES)
    refused(
        write(tmp_path / "a.geojson", far),
        r"In EPSG:32633 they cover x 549999.*, y 4549.*, the raster x 500000 … 501180, y 4599070 … 4600000",
    )
    world = write(tmp_path / "b.geojson", shapely.box(-170, -60, -160, -50))
    refused(world, "do not overlap the raster")
    refused(plain(tmp_path / "c.geojson", HERE), "GeoJSON that names no CRS is in degrees")
    refused(
        plain(tmp_path / "d.geojson", shapely.box(500, 500, 600, 600)),
        "its columns and rows",
        Grid(height=93, width=118),
    )


def test_a_corner_of_the_outline_is_no_overlap_if_no_polygon_reaches_there(tmp_path: Path) -> None:
    around = placed(shapely.box(-500, -500, 900, 900).difference(shapely.box(-100, -100, 300, 300)), OF)
    refused(write(tmp_path / "a.gpkg", around, UTM), "do not overlap the raster")


def test_one_crs_is_not_enough(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.gpkg", HERE, UTM), "they have a CRS and the image has none", Grid(height=93, width=118))
    with pytest.warns(UserWarning, match="crs"):
        path = write(tmp_path / "b.gpkg", HERE, None)
    refused(path, "the image has a CRS and they have none")


def test_layers_and_conditions_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", HERE, UTM, name=["north"])
    refused(path, r"no layer 'aa' \(did you mean a\?\)\. Give source\.aoi: \{path: …, layer: NAME\}", layer="aa")
    refused(path, "hold no polygon where name = 'south'.*or another condition", where="name = 'south'")
    refused(path, "cannot be read where nonsense = = 3", where="nonsense = = 3")
    vector_files.write(
        path,
        geometry=shapely.to_wkb([HERE]),
        field_data=[],
        fields=[],
        crs=UTM,
        driver="GPKG",
        geometry_type="Polygon",
        layer="more",
    )
    refused(path, r"2 layers \(a, more\)")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.gpkg", HERE, UTM)
    for library in ("pyogrio", "shapely"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(ExtraError, match=rf"polygons needs {library}.*wholecloth\[vector\]"):
                open_area(str(path), OF)
