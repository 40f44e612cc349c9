"""Labels in polygons, on every kind of grid, against the last polygon that holds each centre."""

from __future__ import annotations

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine

from pipeline.config import LabelsConfig
from pipeline.errors import ExtraError, LabelsError
from pipeline.geometry.crs import Box
from pipeline.quality.labels import IGNORE, from_config, open_labels
from pipeline.sources.polygons import PolygonFile, open_polygons
from pipeline.store.spec import ClassRow
from tests import vector_files
from tests.quality.labels.places import CLASSES, DEGREES, GRIDS, UTM, centres, cut, grid, whole, windows

FORMATS = {"geojson": "GeoJSON", "gpkg": "GPKG", "fgb": "FlatGeobuf", "shp": "ESRI Shapefile"}
GROUND = (ClassRow(code=0, name="ground", color="#000000", role="background"), *CLASSES[1:])


def polygons(seed: int = 0, count: int = 40) -> np.ndarray:
    """Stars of all sizes over the labels' place, some with a hole, overlapping each other."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        angles, middle, size = (
            np.sort(rng.uniform(0, 2 * np.pi, 9)),
            rng.uniform((499_900, 4_597_900), (502_700, 4_600_100)),
            rng.uniform(20, 400),
        )
        ring = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * size * rng.uniform(0.3, 1, (9, 1))
        star = shapely.make_valid(shapely.Polygon(ring))
        made.append(star.difference(shapely.Point(middle).buffer(size / 5)))
    return np.array(made, dtype=object)


def write(path: Path, shapes: Any, crs: str | None = UTM, **fields: Any) -> Path:
    moved = np.asarray(shapes, dtype=object)
    if path.suffix == ".geojson" and crs == UTM:
        crs, moved = DEGREES, reproject(moved, UTM, DEGREES)
    more = {"COORDINATE_PRECISION": 15} if path.suffix == ".geojson" else {}
    vector_files.write(
        path,
        geometry=shapely.to_wkb(moved),
        field_data=[np.asarray(v) for v in fields.values()],
        fields=list(fields),
        crs=crs,
        driver=FORMATS[path.suffix[1:]],
        geometry_type="Unknown" if path.suffix != ".shp" else "Polygon",
        **more,
    )
    return path


def reproject(shapes: np.ndarray, source: str, target: str) -> np.ndarray:
    change = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(shapes, lambda points: np.stack(change.transform(*points.T), 1))


def burned(shapes: np.ndarray, codes: list[int], of: Any, outside: int = IGNORE, crs: str = UTM) -> np.ndarray:
    """Every centre against every polygon, in the polygons' CRS, where their edges are straight."""
    x, y = centres(of, crs)
    found = np.full(x.shape, outside)
    for shape, code in zip(shapes, codes, strict=True):
        found[shapely.contains_xy(shape, x, y)] = code
    return found


KINDS = [CLASSES[i].name for i in np.random.default_rng(5).integers(0, 4, 40)]
CODES = [next(row.code for row in CLASSES if row.name == name) for name in KINDS]


@pytest.mark.nightly("jobs", after=8)
@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("name", ["the labels' own", "rotated", "in degrees", "in another CRS, rotated", "coarser"])
def test_every_pixel_is_of_the_last_polygon_that_holds_its_centre_whatever_the_grid_and_the_window(
    tmp_path: Path, name: str, ending: str
) -> None:
    path, of = write(tmp_path / f"a.{ending}", polygons(), kind=KINDS), GRIDS[name]
    opened = open_labels(path, of, CLASSES, attribute="kind")
    got = opened.read(whole(of))
    if ending == "geojson":
        assert (got == burned(reproject(polygons(), UTM, DEGREES), CODES, of, crs=DEGREES)).all()
    elif ending != "fgb":  # which sorts features by place, so that its own order is another
        assert (got == burned(polygons(), CODES, of)).all()
    assert len(set(np.unique(got))) == 5
    for window in windows(of):
        assert (opened.read(window) == cut(got, window, IGNORE)).all()


@pytest.mark.slow
def test_the_index_of_a_file_does_not_change_which_polygon_is_the_later(tmp_path: Path) -> None:
    rng, of = np.random.default_rng(2), GRIDS["the labels' own"]
    corners = rng.uniform(0, 1500, (600, 2))
    shapes = np.array(
        [shapely.box(500_000 + x, 4_600_000 - y - 400, 500_000 + x + 400, 4_600_000 - y) for x, y in corners],
        dtype=object,
    )
    codes = [CLASSES[i].code for i in rng.integers(0, 4, 600)]
    expected = burned(shapes, codes, of)
    for ending in ("gpkg", "geojson"):
        opened = open_labels(write(tmp_path / f"a.{ending}", shapes, kind=codes), of, CLASSES, attribute="kind")
        assert opened.layer.indexed is (ending == "gpkg")  # type: ignore[attr-defined]
        assert (opened.read(whole(of)) == expected).all()


def test_polygons_that_cross_themselves_are_whole_in_another_crs(tmp_path: Path) -> None:
    of = GRIDS["the labels' own"]
    bow = shapely.Polygon([(500_105, 4_599_893), (502_303, 4_598_204), (502_311, 4_599_896), (500_108, 4_598_197)])
    there = reproject(np.array([bow]), UTM, DEGREES)
    opened = open_labels(write(tmp_path / "a.gpkg", there, DEGREES), of, CLASSES, burn=1)
    assert (opened.read(whole(of)) == burned(shapely.make_valid(there), [1], of, crs=DEGREES)).all()


def test_a_section_of_a_config_says_what_a_call_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", polygons(), kind=KINDS)
    said = {
        "path": str(path),
        "attribute": "kind",
        "values": {"wood": 2, "water": "house", "ground": 0, "house": 1},
        "ignore": ["ground"],
    }
    got = from_config(LabelsConfig.model_validate(said), GRIDS["rotated"], GROUND).read(whole(GRIDS["rotated"]))
    means = {0: IGNORE, 1: 7, 2: 2, 7: 1}
    assert (got == burned(polygons(), [means[code] for code in CODES], GRIDS["rotated"])).all()
    one = from_config(LabelsConfig(path=str(path), burn=7, layer="a"), GRIDS["rotated"], GROUND).read(
        whole(GRIDS["rotated"])
    )
    assert (one == burned(polygons(), [7] * len(CODES), GRIDS["rotated"], outside=0)).all()


def test_what_no_polygon_covers_is_background_where_there_is_one_and_unknown_where_not(tmp_path: Path) -> None:
    path, of = write(tmp_path / "a.gpkg", polygons(count=3)), GRIDS["the labels' own"]
    for classes, outside in ((GROUND, 0), (CLASSES, IGNORE)):
        opened = open_labels(path, of, classes, burn="house")
        assert (opened.read(whole(of)) == burned(polygons(count=3), [7] * 3, of, outside)).all()
        assert (opened.read(windows(of)[0]) == cut(opened.read(whole(of)), windows(of)[0], IGNORE)).all()


def test_what_values_and_ignored_codes_say_changes_no_background_but_its_own_name_does(tmp_path: Path) -> None:
    path, of = write(tmp_path / "a.gpkg", polygons(count=3), kind=["yes", "no", "yes"]), GRIDS["the labels' own"]
    said: dict[str, Any] = {"attribute": "kind", "values": {"yes": "house"}}
    expected = burned(polygons(count=3), [7, IGNORE, 7], of, 0)
    assert (open_labels(path, of, GROUND, ignore=["no"], **said).read(whole(of)) == expected).all()
    unknown = open_labels(path, of, GROUND, ignore=["no", "ground"], **said).read(whole(of))
    assert (unknown == np.where(expected == 0, IGNORE, expected)).all()


def test_one_class_without_a_role_is_what_all_polygons_mean_and_of_several_one_must_be_said(tmp_path: Path) -> None:
    path, of = write(tmp_path / "a.gpkg", polygons(count=3)), GRIDS["the labels' own"]
    assert set(np.unique(open_labels(path, of, (GROUND[0], GROUND[3])).read(whole(of)))) == {0, 7}
    with pytest.raises(LabelsError, match="which of the 3 classes they mean is not said"):
        open_labels(path, of, GROUND)
    with pytest.raises(LabelsError, match="'lake', which is no class"):
        open_labels(path, of, GROUND, burn="lake")
    with pytest.raises(LabelsError, match="not from both"):
        open_labels(write(tmp_path / "b.gpkg", polygons(count=1), kind=["wood"]), of, GROUND, burn=7, attribute="kind")


def test_attributes_that_are_nothing_or_ignored_hide_what_is_below_and_one_that_is_no_class_is_named(
    tmp_path: Path,
) -> None:
    of = GRIDS["the labels' own"]
    everywhere = np.array([shapely.box(499_000, 4_500_000, 600_000, 4_700_000)] * 2, dtype=object)
    for above in (None, "??"):
        path = write(tmp_path / f"{above is None}.gpkg", everywhere, kind=np.array(["wood", above], dtype=object))
        assert (open_labels(path, of, CLASSES, attribute="kind", ignore=["??"]).read(whole(of)) == IGNORE).all()
    with pytest.raises(LabelsError, match=r"holds \?\?, which is no class"):
        open_labels(path, of, CLASSES, attribute="kind").read(whole(of))
    assert (
        open_labels(path, of, CLASSES, attribute="kind", values={"wood": 1, "??": "house"}).read(whole(of)) == 7
    ).all()


def test_a_window_reads_only_what_lies_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = np.array(
        [
            shapely.box(x, y, x + 5, y + 5)
            for x in range(500_000, 502_600, 100)
            for y in range(4_598_000, 4_600_000, 100)
        ],
        dtype=object,
    )
    opened, read = open_labels(write(tmp_path / "a.gpkg", boxes), GRIDS["the labels' own"], CLASSES, burn=1), []
    original = PolygonFile.read
    monkeypatch.setattr(
        PolygonFile,
        "read",
        lambda self, wanted: read.append(len(original(self, wanted).fids)) or original(self, wanted),
    )
    opened.read(windows(opened.grid)[0].__class__(row=50, col=50, height=30, width=30))
    assert 9 <= read[0] <= 25
    assert len(boxes) == 520


def test_a_file_without_an_index_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, read = open_labels(write(tmp_path / "a.geojson", polygons()), GRIDS["the labels' own"], CLASSES, burn=1), []
    original = PolygonFile.read
    monkeypatch.setattr(PolygonFile, "read", lambda self, wanted: read.append(1) or original(self, wanted))
    for window in windows(opened.grid):
        opened.read(window)
    assert len(read) == 1


@pytest.mark.slow
def test_it_pickles_as_a_small_spec_and_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    for ending in ("geojson", "gpkg"):
        opened = open_labels(
            write(tmp_path / f"a.{ending}", polygons(), kind=KINDS), GRIDS["rotated"], CLASSES, attribute="kind"
        )
        expected, parts = opened.read(whole(opened.grid)), windows(opened.grid, 1, 40)
        said = pickle.dumps(opened)
        assert len(said) < 6000
        with ThreadPoolExecutor(4) as pool:
            for window, got in zip(parts, pool.map(pickle.loads(said).read, parts), strict=True):
                assert (got == cut(expected, window, IGNORE)).all()


def test_a_polygon_around_the_world_is_clipped_to_where_the_image_is(tmp_path: Path) -> None:
    world = np.array([shapely.box(-180, -90, 180, 90)], dtype=object)
    path, of = write(tmp_path / "a.gpkg", world, DEGREES), GRIDS["the labels' own"]
    assert (open_labels(path, of, CLASSES, burn=1).read(whole(of)) == 1).all()


def test_a_long_edge_bends_with_the_crs(tmp_path: Path) -> None:
    of = grid(300, 1000, Affine(100, 0, 450_000, 0, -100, 4_615_000))
    below = np.array([shapely.box(13, 41, 17, 41.55)], dtype=object)
    got = open_labels(write(tmp_path / "a.gpkg", below, DEGREES), of, CLASSES, burn=1).read(whole(of))
    assert (got == burned(below, [1], of, crs=DEGREES)).all()
    assert len({int(row) for row in (got == 1).argmax(0)}) > 1


def test_on_an_image_without_a_crs_geojson_is_in_columns_and_rows(tmp_path: Path) -> None:
    said = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [[[10, 4], [30, 4], [30, 9], [10, 9], [10, 4]]]},
    }
    path, slide = tmp_path / "a.geojson", grid(20, 40, Affine.scale(0.25), None)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [said]}))
    got = open_labels(path, slide, CLASSES, burn=2).read(whole(slide))
    assert (got[4:9, 10:30] == 2).all()
    assert (got == 2).sum() == 100
    with pytest.raises(LabelsError, match="do not overlap"):
        open_labels(path, grid(3, 40, Affine.scale(0.25), None), CLASSES, burn=2)
    with pytest.raises(LabelsError, match="they have a CRS and the image has none"):
        open_labels(write(tmp_path / "b.gpkg", polygons()), slide, CLASSES, burn=2)


def test_polygons_without_a_crs_fit_no_image_that_has_one(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="crs"):
        path = write(tmp_path / "a.gpkg", polygons(), None)
    with pytest.raises(LabelsError, match="the image has a CRS and they have none"):
        open_labels(path, GRIDS["rotated"], CLASSES, burn=1)


def test_polygons_elsewhere_are_refused_with_both_outlines(tmp_path: Path) -> None:
    far = shapely.transform(polygons(), lambda points: points + np.array([90_000, 0]))
    with pytest.raises(
        LabelsError, match=r"EPSG:32633 the labels cover x 5[89]\d+.* the image x 500000 … 502600, y 4598000 … 4600000"
    ):
        open_labels(write(tmp_path / "a.gpkg", far), GRIDS["the labels' own"], CLASSES, burn=1)
    pixels = tmp_path / "b.geojson"
    pixels.write_text(
        json.dumps({"type": "Polygon", "coordinates": [[[5e5, 4.6e6], [6e5, 4.6e6], [6e5, 4.5e6], [5e5, 4.6e6]]]})
    )
    with pytest.raises(LabelsError, match="A GeoJSON that names no CRS is in degrees"):
        open_labels(pixels, GRIDS["the labels' own"], CLASSES, burn=1)


def test_a_file_that_holds_no_polygons_is_told_apart(tmp_path: Path) -> None:
    of = GRIDS["the labels' own"]
    (tmp_path / "empty.geojson").touch()
    (tmp_path / "none.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / "points.geojson").write_text('{"type": "Point", "coordinates": [15.0, 41.5]}')
    for name, words in (
        ("nowhere.gpkg", "does not exist"),
        ("empty.geojson", "cannot be opened"),
        ("none.geojson", "no feature"),
        ("points.geojson", "of Points"),
    ):
        with pytest.raises(LabelsError, match=words):
            open_labels(tmp_path / name, of, CLASSES, burn=1)


def test_an_attribute_and_a_layer_that_are_not_there_are_told_with_the_nearest(tmp_path: Path) -> None:
    path, of = write(tmp_path / "a.gpkg", polygons(), kind=KINDS, height=np.arange(40)), GRIDS["the labels' own"]
    with pytest.raises(LabelsError, match=r"no attribute 'kinds' \(did you mean kind\?\)"):
        open_labels(path, of, CLASSES, attribute="kinds")
    with pytest.raises(LabelsError, match="no attribute 'zzz'; they have kind, height"):
        open_labels(path, of, CLASSES, attribute="zzz")
    vector_files.write(
        path,
        geometry=shapely.to_wkb(polygons()),
        field_data=[],
        fields=[],
        crs=UTM,
        driver="GPKG",
        geometry_type="Unknown",
        layer="more",
    )
    with pytest.raises(LabelsError, match=r"2 layers \(a, more\)"):
        open_labels(path, of, CLASSES, burn=1)
    assert (open_labels(path, of, CLASSES, burn=1, layer="more").read(whole(of)) == 1).any()
    with pytest.raises(LabelsError, match=r"no layer 'moore' \(did you mean more\?\)"):
        open_labels(path, of, CLASSES, burn=1, layer="moore")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.gpkg", polygons())
    for library in ("pyogrio", "shapely"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(ExtraError, match=rf"polygons needs {library}.*wholecloth\[vector\]"):
                open_labels(path, GRIDS["rotated"], CLASSES, burn=1)


def test_what_is_read_from_two_rectangles_is_each_polygon_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    layer = open_polygons(str(write(tmp_path / "a.gpkg", polygons(), kind=KINDS)), None, "kind")
    west, east = (
        Box(left=left, bottom=4_597_000, right=right, top=4_601_000)
        for left, right in ((499_000, 501_300), (501_300, 503_000))
    )
    assert len(layer.read([west]).fids) + len(layer.read([east]).fids) > 40
    both = layer.read([east, west])
    assert both.fids.tolist() == list(range(1, 41))
    assert both.values is not None
    assert both.values.tolist() == KINDS
    assert shapely.equals(both.polygons, shapely.force_2d(polygons())).all()
