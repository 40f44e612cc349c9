"""Statistics of stores against the whole mask at once, and of zones against exactextract on the whole raster."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import exactextract
import numpy as np
import pytest
import shapely
import zarr
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from pipeline.config import SourceConfig
from pipeline.errors import InputError, StoreError
from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.window import Window
from pipeline.locations import Remote
from pipeline.quality.stats.rows import StatsRow
from pipeline.quality.stats.stats import store_stats
from pipeline.quality.stats.zones import open_zones
from pipeline.sources.aoi import open_area
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import StoreLevel, open_store
from tests.quality.stats.stores import (
    BLOCK,
    CLASSES,
    CODES,
    NODATA,
    TRANSFORMS,
    grid_of,
    mask_of,
    store_of,
    to_map,
    write_zones,
)
from tests.storage import BUCKET, Storage
from tests.store import specs

UTM = "EPSG:32633"
ZONES = {
    "disc": shapely.Point(60.3, 71.2).buffer(40.7),
    "over it": shapely.box(40.25, 30.75, 120.75, 90.125),
    "hole": shapely.box(5, 5, 160, 140).difference(shapely.Point(80, 80).buffer(30)),
    "over the edge": shapely.Polygon([(-30, 100), (90, 170), (60, 120)]),
    "outside": shapely.box(400, 400, 420, 420),
    "nodata only": shapely.box(3.3, BLOCK + 2.2, 50, 2 * BLOCK - 5),
    "small": shapely.box(100.25, 100.25, 100.5, 100.75),
}


def ground(level: StoreLevel) -> np.ndarray:
    shape = level.height, level.width
    return np.broadcast_to(pixel_areas(level.grid).of(Window(row=0, col=0, height=shape[0], width=shape[1])), shape)


def by_zone(rows: list[StatsRow]) -> dict[str | None, list[StatsRow]]:
    return {zone: [row for row in rows if row.zone == zone] for zone in dict.fromkeys(row.zone for row in rows)}


def zone_file(folder: Path, level: StoreLevel, crs: str | None, zones: dict[str, Any] = ZONES) -> str:
    return write_zones(folder / "zones.gpkg", to_map(level.grid, list(zones.values())), list(zones), crs)


@pytest.mark.parametrize("crs", TRANSFORMS)
def test_every_class_has_a_row_with_its_pixels_and_area(tmp_path: Path, crs: str | None) -> None:
    mask = mask_of()
    level = store_of(tmp_path / "a.zarr", mask, crs)
    rows, size = store_stats(level), ground(level)
    assert [(row.scene, row.zone, row.class_name, row.code) for row in rows] == [
        ("a", None, row.name, row.code) for row in CLASSES
    ]
    assert [row.pixels for row in rows] == [(mask == row.code).sum() for row in CLASSES]
    assert [row.area for row in rows] == pytest.approx([size[mask == row.code].sum() for row in CLASSES], rel=1e-12)
    assert {row.unit for row in rows} == {{"um": "um2", None: "px"}.get(crs, "m2")}
    assert [row.share for row in rows] == [row.pixels / (mask != NODATA).sum() for row in rows]
    assert sum(row.share for row in rows) == pytest.approx(1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 150), st.integers(1, 150), st.sampled_from(list(TRANSFORMS)))
def test_any_mask_is_counted(
    tmp_path_factory: pytest.TempPathFactory, seed: int, height: int, width: int, crs: str | None
) -> None:
    mask = np.random.default_rng(seed).choice([0, 3, 7, NODATA], (height, width)).astype("uint8")
    rows = store_stats(store_of(tmp_path_factory.mktemp("any") / "a.zarr", mask, crs), of="raster")
    assert [row.pixels for row in rows] == [(mask == row.code).sum() for row in rows]
    assert sum(row.share for row in rows) == pytest.approx(1)


@pytest.mark.parametrize("crs", TRANSFORMS)
@pytest.mark.parametrize("of", ["valid", "raster"])
def test_zones_equal_exactextract_on_the_whole_raster(tmp_path: Path, crs: str | None, of: Any) -> None:
    mask = mask_of()
    level = store_of(tmp_path / "a.zarr", mask, crs)
    path = zone_file(tmp_path, level, CODES.get(crs, crs))
    found = by_zone(store_stats(level, open_zones(path, "name", None, level.grid), of))
    assert list(found) == list(ZONES)
    for name, shape in ZONES.items():
        cover = whole_cover(mask, shape)
        for row in found[name]:
            inside = cover * (mask == row.code)
            assert row.pixels == pytest.approx(inside.sum(), rel=1e-9, abs=2e-7)
            assert row.area == pytest.approx((inside * ground(level)).sum(), rel=1e-9, abs=2e-7 * ground(level).max())


def whole_cover(mask: np.ndarray, shape: Any) -> np.ndarray:
    """Coverage by exactextract, whose float32 keeps 3e-8 of a pixel."""
    height, width = mask.shape
    indices = NumPyRasterSource(np.arange(mask.size, dtype=float).reshape(mask.shape), 0, 0, width, height)
    flipped = shapely.transform(shape, lambda points: points * (1, -1) + (0, height))
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(flipped)}
    found = exactextract.exact_extract(indices, [feature], ["coverage", "values"])[0]["properties"]
    cover = np.zeros(mask.size)
    cover[np.asarray(found["values"]).astype(int)] = found["coverage"]
    return cover.reshape(mask.shape)


def test_sums_over_a_zone_equal_those_of_exactextract_to_nine_digits(tmp_path: Path) -> None:
    mask = mask_of(600, 700)
    level, shape = store_of(tmp_path / "a.zarr", mask), shapely.Point(300.3, 290.1).buffer(270.7, quad_segs=40)
    zones = open_zones(zone_file(tmp_path, level, UTM, {"disc": shape}), "name", None, level.grid)
    cover = whole_cover(mask, shape)
    for row in store_stats(level, zones):
        assert row.pixels == pytest.approx((cover * (mask == row.code)).sum(), rel=1e-9)


def test_zones_that_hold_nothing_have_rows_without_a_share(tmp_path: Path) -> None:
    level = store_of(tmp_path / "a.zarr", mask_of())
    zones = open_zones(zone_file(tmp_path, level, UTM), "name", None, level.grid)
    found = by_zone(store_stats(level, zones))
    for name in ("outside", "nodata only"):
        assert [(row.pixels, row.area, row.share) for row in found[name]] == [(0, 0, None)] * 3
    nodata = by_zone(store_stats(level, zones, "raster"))["nodata only"][-1]
    assert (nodata.class_name, nodata.code, nodata.share) == ("nodata", NODATA, 1)


@pytest.mark.parametrize("crs", ["EPSG:4326", UTM])
def test_unwritten_blocks_are_nodata_of_the_raster(tmp_path: Path, crs: str) -> None:
    mask, blocks = mask_of(), [(0, 1), (2, 2)]
    level = store_of(tmp_path / "a.zarr", mask, crs, blocks, asked=2)
    written = np.full(mask.shape, NODATA)
    for row, col in blocks:
        part = slice(row * BLOCK, (row + 1) * BLOCK), slice(col * BLOCK, (col + 1) * BLOCK)
        written[part] = mask[part]
    rows = store_stats(level, of="raster")
    assert [row.pixels for row in rows] == [(written == row.code).sum() for row in rows]
    expected = [ground(level)[written == row.code].sum() for row in rows]
    assert [row.area for row in rows] == pytest.approx(expected, rel=1e-10)
    zones = open_zones(zone_file(tmp_path, level, crs), "name", None, level.grid)
    for name, in_zone in by_zone(store_stats(level, zones, "raster")).items():
        cover = whole_cover(mask, ZONES[name])
        expected = [(cover * (written == row.code)).sum() for row in in_zone]
        assert [row.pixels for row in in_zone] == pytest.approx(expected, rel=1e-9, abs=2e-7)
        expected = [(cover * (written == row.code) * ground(level)).sum() for row in in_zone]
        assert [row.area for row in in_zone] == pytest.approx(expected, rel=1e-8, abs=2e-5)


def test_shares_of_what_was_asked_for_count_its_nodata_alone(tmp_path: Path) -> None:
    area = shapely.box(10, 70, 120, 130)
    path = write_zones(tmp_path / "area.gpkg", to_map(grid_of(UTM, 150, 170), [area]), ["a"], UTM)
    mask, asked = mask_of(), np.zeros((150, 170), dtype=bool)
    asked[70:130, 10:120] = True
    mask[~asked] = NODATA
    digest = open_area(path, grid_of(UTM, 150, 170)).digest
    config = {"source": SourceConfig(path="s.tif", aoi=path).model_dump(mode="json")}
    blocks = [(row, col) for row in (1, 2) for col in (0, 1)]
    level = store_of(tmp_path / "a.zarr", mask, UTM, blocks, asked=4, fingerprint={"source.aoi": digest}, config=config)
    rows = store_stats(level, of="aoi")
    assert [row.pixels for row in rows] == [(asked & (mask == row.code)).sum() for row in rows]
    assert rows[-1].class_name == "nodata"
    assert rows[-1].pixels > 0
    assert sum(row.share for row in rows) == pytest.approx(1)
    zones = open_zones(zone_file(tmp_path, level, UTM), "name", None, level.grid)
    for name, in_zone in by_zone(store_stats(level, zones, "aoi")).items():
        cover = whole_cover(mask, ZONES[name]) * asked
        expected = [(cover * (mask == row.code)).sum() for row in in_zone]
        assert [row.pixels for row in in_zone] == pytest.approx(expected, rel=1e-9, abs=2e-7)
    Path(path).unlink()
    assert len(store_stats(level)) == 3
    with pytest.raises(StoreError, match="needed to count what was asked for"):
        store_stats(level, of="aoi")


def test_a_cleaned_mask_is_counted_in_the_place_of_the_mask(tmp_path: Path) -> None:
    mask = mask_of()
    level = store_of(tmp_path / "a.zarr", np.where(mask == 3, 7, mask))
    zarr.create_array(str(level.path), name="0/cleaned", data=mask, fill_value=NODATA, chunks=(32, 32))
    assert [row.pixels for row in store_stats(level)] == [(mask == row.code).sum() for row in CLASSES]


def test_an_unfinished_store_is_refused(tmp_path: Path) -> None:
    level = store_of(tmp_path / "a.zarr", mask_of(), blocks=[(0, 0)])
    with pytest.raises(StoreError, match=r"1 of 9 blocks are committed.*Run the job again"):
        store_stats(level)


def assert_like_a_store_on_disk(folder: Path, level: StoreLevel) -> None:
    """Statistics with zones and objects are those of the same mask on disk, in Zarr 3."""
    local = store_of(folder / "a.zarr", mask_of())
    path = zone_file(folder, local, UTM)

    def statistics(level: StoreLevel) -> list[StatsRow]:
        zones = open_zones(path, "name", None, level.grid)
        return [*store_stats(level, of="raster", objects=True), *store_stats(level, zones, objects=True)]

    assert statistics(level) == statistics(local)
    assert sum(row.pixels for row in store_stats(level)) == (mask_of() != NODATA).sum()


def test_a_store_of_zarr_2_is_counted_alike(tmp_path: Path) -> None:
    level = store_of(tmp_path / "2" / "a.zarr", mask_of(), zarr_format=2)
    assert (tmp_path / "2" / "a.zarr" / ".zattrs").exists()
    assert_like_a_store_on_disk(tmp_path, level)


@pytest.mark.slow
def test_a_store_on_object_storage_is_counted_alike(s3: Storage, tmp_path: Path) -> None:
    level = store_of(Remote(f"s3://{BUCKET}/{tmp_path.name}/a.zarr"), mask_of())
    assert_like_a_store_on_disk(tmp_path, level)
    assert any("a.zarr/0/mask/c/" in path for method, path, _ in s3.asked if method == "GET")


@pytest.mark.parametrize("crs", TRANSFORMS)
def test_an_object_counts_where_its_first_pixel_is(tmp_path: Path, crs: str | None) -> None:
    mask = mask_of()
    level = store_of(tmp_path / "a.zarr", mask, crs)
    firsts = []
    for row in CLASSES:
        labels = label(mask == row.code, connectivity=1).ravel()
        numbers, first = np.unique(labels, return_index=True)
        firsts += [
            (row.code, *divmod(int(place), mask.shape[1]))
            for number, place in zip(numbers, first, strict=False)
            if number
        ]
    rows = store_stats(level, objects=True)
    assert [row.objects for row in rows] == [sum(code == row.code for code, _, _ in firsts) for row in rows]
    total = sum(row.area for row in rows)
    assert [row.density for row in rows] == pytest.approx([row.objects / total for row in rows])
    zones = open_zones(zone_file(tmp_path, level, CODES.get(crs, crs)), "name", None, level.grid)
    for name, in_zone in by_zone(store_stats(level, zones, "raster", objects=True)).items():
        inside = [code for code, y, x in firsts if ZONES[name].contains(shapely.Point(x + 0.5, y + 0.5))]
        assert [row.objects for row in in_zone] == [inside.count(row.code) for row in in_zone]


def test_an_object_between_two_zones_counts_once(tmp_path: Path) -> None:
    mask = np.full((64, 64), NODATA, dtype="uint8")
    mask[10:20, 10:20] = 7
    level = store_of(tmp_path / "a.zarr", mask)
    halves = {"left": shapely.box(0, 0, 10.5, 64), "right": shapely.box(10.5, 0, 64, 64)}
    zones = open_zones(zone_file(tmp_path, level, UTM, halves), "name", None, level.grid)
    assert sum(row.objects or 0 for row in store_stats(level, zones, objects=True)) == 1


@pytest.mark.slow
def test_a_hundred_blocks_in_a_raster_of_a_million_by_a_million_take_seconds(tmp_path: Path) -> None:
    side, block = 10**6, 512
    spec = specs.spec(grid_of(UTM, side, side), classes=CLASSES, chunk=block)
    rows = [{"code": row.code, "name": row.name, "color": row.color, "role": row.role} for row in CLASSES]
    shape = [-(-side // block)] * 2
    create(tmp_path / "a.zarr", spec, {"blocks": shape, "tiles": {"block": block}, "classes": rows, "asked": 100})
    rng = np.random.default_rng(0)
    for row, col in rng.integers(0, side // block, (100, 2)).tolist():
        window = slice(row * block, (row + 1) * block), slice(col * block, (col + 1) * block)
        open_layer(tmp_path / "a.zarr", 0, "mask")[window] = 3
        Ledger(tmp_path / "a.zarr").commit((row, col), {"chunks": {}})
    level = open_store(tmp_path / "a.zarr")
    start = time.process_time()
    assert [row.pixels for row in store_stats(level)] == [0, 0, 100 * block**2]
    zones = {"west": shapely.box(0, 0, side / 2, side), "east": shapely.box(side / 2, 0, side, side)}
    path = zone_file(tmp_path, level, UTM, zones)
    found = store_stats(level, open_zones(path, "name", None, level.grid))
    assert time.process_time() - start < 20
    assert sum(row.pixels for row in found if row.code == 3) == pytest.approx(100 * block**2)


def test_a_mask_without_a_known_crs_is_refused(tmp_path: Path) -> None:
    level = store_of(tmp_path / "a.zarr", mask_of())
    with pytest.raises(InputError, match="is not one that PROJ knows"):
        store_stats(replace(level, grid=replace(level.grid, wkt="nothing")))
