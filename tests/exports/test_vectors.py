from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geoparquet_validator
import numpy as np
import pyarrow.parquet
import pyproj
import pytest
import shapely

from pipeline.errors import ConfigError, InputError, PlanError
from pipeline.exports.vectors.by_ogr import write_flatgeobuf, write_geopackage
from pipeline.exports.vectors.geojson import write_geojson
from pipeline.exports.vectors.geoparquet import write_geoparquet
from pipeline.exports.vectors.qupath import write_qupath
from pipeline.geometry.grid import Grid
from pipeline.objects import outlines
from pipeline.objects.features import FeatureOptions, Features, find_features
from pipeline.objects.mask import mask_blocks
from pipeline.objects.sizes import ObjectSize
from tests.objects.test_components import NODATA, ArrayMask
from tests.store import specs

MARK = "wholecloth-export store=a.zarr id=1 state=2."
WRITERS: dict[str, Callable[..., None]] = {
    "a.gpkg": write_geopackage,
    "a.fgb": write_flatgeobuf,
    "a.parquet": write_geoparquet,
    "a.geojson": write_geojson,
    "a.qupath.geojson": write_qupath,
}
GRID = specs.GRIDS["with a code"]
SLIDE = specs.GRIDS["of a slide"]


def mask_array(height: int = 100, width: int = 130) -> np.ndarray:
    rng = np.random.default_rng(5)
    small = rng.choice([0, 3, 7, NODATA], (height // 5, width // 5), p=[0.4, 0.3, 0.2, 0.1])
    return np.kron(small, np.ones((5, 5), dtype=int)).astype(np.uint8)


def features_of(folder: Path, grid: Grid = GRID, array: np.ndarray | None = None, **options: Any) -> Features:
    array = mask_array(grid.height, grid.width) if array is None else array
    blocks = mask_blocks(ArrayMask(array), 32)
    confidence = (np.arange(array.size).reshape(array.shape) % 200).astype(np.uint8)
    return find_features(
        blocks,
        grid,
        specs.CLASSES,
        folder / "scratch",
        options=FeatureOptions(**options),
        confidence_of=lambda window: confidence[window.slices],
    )


def write(name: str, folder: Path, grid: Grid = GRID, array: np.ndarray | None = None, **options: Any) -> Path:
    features = features_of(folder, grid, array, **options)
    WRITERS[name](features.batches(), folder / name, features.fields, MARK)
    return folder / name


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.parquet"])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_form_of_tables_holds_the_same_objects(
    name: str, connectivity: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "BATCH_CORNERS", 200)
    path = write(name, tmp_path, connectivity=connectivity)
    meta, table = read(path)
    names = ["id", "class", "code", "area_m2", "area_method", "perimeter_m", "confidence", "centroid_x", "centroid_y"]
    assert [each for each in table if each not in ("geometry", "bbox")] == names
    assert pyproj.CRS(meta["crs"]).to_epsg() == 32633
    geometry = table["geometry"]
    assert shapely.is_valid(geometry).all()
    assert set(shapely.get_type_id(geometry)) == {3 if connectivity == 4 else 6}
    assert set(table["code"].tolist()) == {0, 3}  # 7 is of role background
    array = mask_array()
    assert shapely.area(geometry).sum() == pytest.approx(100 * np.isin(array, [0, 3]).sum())
    assert table["area_m2"] == pytest.approx(shapely.area(geometry), rel=2e-3)
    assert table["perimeter_m"] == pytest.approx(shapely.length(geometry))
    assert np.stack([table["centroid_x"], table["centroid_y"]], axis=1) == pytest.approx(
        shapely.get_coordinates(shapely.centroid(geometry))
    )
    assert ((table["confidence"] > 0) & (table["confidence"] < 200 / 255)).all()
    assert len(set(table["id"].tolist())) == len(table["id"])


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    import pyogrio

    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names if name != "bbox"}
        columns["geometry"] = shapely.from_wkb(columns["geometry"])
        geo = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]
        return {"crs": json.dumps(geo["crs"]), "geo": geo}, columns
    meta, _, geometry, data = pyogrio.raw.read(path)
    columns = dict(zip(meta["fields"].tolist(), data, strict=True))
    return meta, {**columns, "geometry": shapely.from_wkb(geometry)}


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.geojson", "a.qupath.geojson"])
def test_the_mark_is_among_the_first_bytes(name: str, tmp_path: Path) -> None:
    assert MARK.encode() in write(name, tmp_path).read_bytes()[: 2**16]


def test_parquet_says_its_mark_in_its_own_metadata(tmp_path: Path) -> None:
    assert pyarrow.parquet.read_metadata(write("a.parquet", tmp_path)).metadata[b"wholecloth"] == MARK.encode()


def test_row_groups_of_parquet_follow_the_mask_and_each_object_has_its_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "BATCH_CORNERS", 200)
    path = write("a.parquet", tmp_path)
    meta, columns = read(path)
    table = pyarrow.parquet.read_table(path)
    boxes = np.array([[box[name] for name in ("xmin", "ymin", "xmax", "ymax")] for box in table["bbox"].to_pylist()])
    assert (boxes == shapely.bounds(columns["geometry"])).all()
    assert meta["geo"]["bbox"] == [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
    assert pyarrow.parquet.ParquetFile(path).num_row_groups > 3
    assert (np.diff(boxes[:, 1]) <= 0).all()  # by the last row of each object


@pytest.mark.parametrize("grid", [GRID, SLIDE])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_validator_finds_nothing_in_geoparquet(
    grid: Grid, connectivity: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "BATCH_CORNERS", 60)
    report = geoparquet_validator.check(str(write("a.parquet", tmp_path, grid, connectivity=connectivity)))
    status = {outcome["id"]: outcome["status"] for outcome in report["outcomes"]}
    assert (report["version"], geoparquet_validator.failed(report)) == ("1.1.0", [])
    for rule in ("core/wkb", "core/geometry-types", "core/bbox-extent", "covering/bbox-paths"):
        assert status[f"/conf/{rule}"] == "pass"
    assert status["/conf/distribution/spatial-order"] == "pass"


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.parquet"])
def test_without_a_crs_coordinates_are_micrometres_and_the_srs_is_undefined(name: str, tmp_path: Path) -> None:
    meta, table = read(write(name, tmp_path, SLIDE))
    assert meta["crs"] in (None, "null") or "Undefined" in meta["crs"]
    assert shapely.total_bounds(table["geometry"]).max() <= 130 * 0.25
    assert table["area_um2"] == pytest.approx(shapely.area(table["geometry"]))
    assert table["perimeter_um"] == pytest.approx(shapely.length(table["geometry"]))


def test_geojson_is_in_degrees_right_handed_and_refused_without_a_crs(tmp_path: Path) -> None:
    document = json.loads(write("a.geojson", tmp_path).read_text())
    assert document["wholecloth"] == MARK
    to_degrees = pyproj.Transformer.from_crs(32633, 4326, always_xy=True)
    x, y = to_degrees.transform(*GRID.transform[2::3])
    for feature in document["features"]:
        geometry = shapely.geometry.shape(feature["geometry"])
        assert geometry.exterior.is_ccw
        assert not any(ring.is_ccw for ring in geometry.interiors)
        assert feature["id"] == feature["properties"]["id"]
        assert abs(geometry.centroid.x - x) < 0.05
        assert abs(geometry.centroid.y - y) < 0.05
        assert (shapely.get_coordinates(geometry).round(7) == shapely.get_coordinates(geometry)).all()
    (tmp_path / "slide").mkdir()
    with pytest.raises(ConfigError, match="--to qupath"):
        write("a.geojson", tmp_path / "slide", SLIDE)


@pytest.mark.parametrize("step", [-0.1, 0.1])
def test_geojson_is_cut_at_the_antimeridian(step: float, tmp_path: Path) -> None:
    degrees = pyproj.CRS.from_epsg(4326).to_wkt()
    grid = Grid(height=20, width=100, transform=(0.1, 0, 175.0, 0, step, -10.0), wkt=degrees, unit="crs")
    array = np.full((20, 100), NODATA, dtype=np.uint8)
    array[5:10, 20:80], array[6:8, 45:55], array[12:14, :10] = 0, 3, 3
    document = json.loads(write("a.geojson", tmp_path, grid, array).read_text())
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in document["features"]]
    assert [shape.geom_type for shape in shapes] == ["MultiPolygon", "MultiPolygon", "Polygon"]
    assert [round(shape.area, 6) for shape in shapes] == [0.2, 2.8, 0.2]
    for shape in shapes:
        assert shape.is_valid
        assert shapely.total_bounds(shape)[0] >= -180
        assert shapely.total_bounds(shape)[2] <= 180
        assert all(part.exterior.is_ccw for part in shapely.get_parts(shape))


def test_geojson_of_an_object_around_the_pole_reaches_the_pole(tmp_path: Path) -> None:
    polar = pyproj.CRS.from_epsg(3031).to_wkt()
    grid = Grid(height=20, width=20, transform=(1e5, 0, -1e6, 0, -1e5, 1e6), wkt=polar, unit="crs")
    array = np.zeros((20, 20), dtype=np.uint8)
    (feature,) = json.loads(write("a.geojson", tmp_path, grid, array).read_text())["features"]
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.is_valid
    assert shapely.total_bounds(shape)[:2].tolist() == [-180, -90]
    area = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(shapely.segmentize(shape, 0.5))[0])
    assert area == pytest.approx(feature["properties"]["area_m2"], rel=0.05)


def test_qupath_gets_annotations_in_pixels_with_classes_and_colours(tmp_path: Path) -> None:
    document = json.loads(write("a.qupath.geojson", tmp_path, SLIDE).read_text())
    colours = {row.name: list(row.rgb) for row in specs.CLASSES}
    array = mask_array()
    for feature in document["features"]:
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert properties["classification"]["color"] == colours[properties["classification"]["name"]]
        shape = shapely.geometry.shape(feature["geometry"])
        first = int(properties["name"]) - 1
        code = array.flat[first]
        assert {row.code: row.name for row in specs.CLASSES}[code] == properties["classification"]["name"]
        assert shape.contains(shapely.Point(first % 130 + 0.5, first // 130 + 0.5))
        assert properties["measurements"]["area_um2"] == pytest.approx(shape.area * 0.25**2)
    assert len({feature["id"] for feature in document["features"]}) == len(document["features"])


@pytest.mark.parametrize(("size", "smallest"), [("40 px", 40), ("4000 m2", 40), ("4e3 m2", 40)])
def test_small_objects_are_left_out(size: str, smallest: int, tmp_path: Path) -> None:
    every = read(write("a.parquet", tmp_path, codes=(0, 3, 7)))[1]
    (tmp_path / "b").mkdir()
    large = read(write("a.parquet", tmp_path / "b", codes=(0, 3, 7), min_area=ObjectSize.parse(size)))[1]
    pixels = {name: round(area / 100) for name, area in zip(every["id"], shapely.area(every["geometry"]), strict=True)}
    assert large["id"].tolist() == [name for name in every["id"].tolist() if pixels[name] >= smallest]


def test_wrong_classes_and_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no class 4"):
        features_of(tmp_path, codes=(4,))
    with pytest.raises(InputError, match="square metres"):
        features_of(tmp_path, min_area=ObjectSize.parse("5 um2"))
    with pytest.raises(InputError, match="no size"):
        ObjectSize.parse("5 acres")


def test_what_memory_is_not_meant_for_is_refused_with_its_figures(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="objects would be written, and memory is meant for 5"):
        features_of(tmp_path, object_limit=5)
    noise = (np.random.default_rng(1).random((100, 130)) < 0.65).astype(np.uint8) * 3
    (tmp_path / "b").mkdir()
    with pytest.raises(PlanError, match=r"The object \d+ of class <fields & co> has [\d,]+ vertices in [\d,]+ rings"):
        features_of(tmp_path / "b", array=noise, vertex_limit=1000)
    (tmp_path / "c").mkdir()
    with pytest.raises(PlanError, match="leave --simplify out, which takes half of that, or give more --memory"):
        features_of(tmp_path / "c", array=noise, vertex_limit=1000, simplify=2.0)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_rings_are_counted_before_they_are_traced(connectivity: int, tmp_path: Path) -> None:
    """Holes that touch the outer ring at a corner among them."""
    noise = (np.random.default_rng(1).random((100, 130)) < 0.65).astype(np.uint8) * 3
    features = features_of(tmp_path, array=noise, connectivity=connectivity, simplify=0.0)
    rings, objects = {}, features.outlines.rings
    for batch in features.batches():
        polygons = np.add.reduceat(batch.polygon_rings, np.cumsum(batch.object_polygons) - batch.object_polygons)
        rings |= dict(zip(batch.attributes["id"].tolist(), polygons.tolist(), strict=True))
    ids = features.found.objects.ids()
    assert {int(ids[k]): int(objects[k]) for k in np.flatnonzero(objects)} == rings
    assert max(rings.values()) > 100
    limits = {"vertex_limit": int(features.outlines.counts.max()), "connectivity": connectivity}
    (tmp_path / "b").mkdir()
    with pytest.raises(PlanError, match=r"takes 1\.\d times"):
        features_of(tmp_path / "b", array=noise, ring_vertices=0.5, **limits)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_mask_without_objects_makes_a_file_without_features(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path, array=np.full((100, 130), NODATA, dtype=np.uint8))
    if "json" in name:
        assert json.loads(path.read_text())["features"] == []
    else:
        assert len(read(path)[1]["id"]) == 0
