"""What a page is given to draw itself by, and what it is told of a pixel."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr

from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.store.foreign_arrays import open_array
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import read_store_meta, restate
from pipeline.viewer import outlines
from pipeline.viewer.scene import StoreScene
from pipeline.viewer.tile_grid import MapTile, tile_levels
from pipeline.viewer.view import StoreView
from tests.store import specs
from tests.viewer import stores
from tests.viewer.client import open_page


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete store, which no test changes."""
    return stores.whole(tmp_path_factory.mktemp("view") / "a.zarr")


def test_a_pixel_is_told_by_place_class_and_confidence(whole: Path) -> None:
    answer = open_page(whole).get("/api/at?row=300&col=701").json()
    assert (answer["x"], answer["y"]) == (500_000 + 10 * 701.5, 4_600_000 - 10 * 300.5)
    assert (round(answer["lon"], 3), round(answer["lat"], 3)) == (15.084, 41.525)
    code = int(stores.pixels(stores.spec())[300, 701])
    names = {row.code: row.name for row in specs.CLASSES}
    mask, confidence = answer["layers"]
    assert mask == {"name": "mask", "kind": "classes", "code": code, "class": names[code]}
    assert confidence["numbers"] == [{"name": "confidence", "number": (1 + 1702 % 255) / 255}]


def test_a_pixel_of_nodata_has_no_class(whole: Path) -> None:
    assert open_page(whole).get("/api/at?row=45&col=25").json()["layers"][0]["class"] is None


@pytest.mark.parametrize(
    ("grid", "crs", "unit", "pixel"),
    [
        ("with a code", "EPSG:32633", "crs", "m"),
        ("without a code", "a CRS without a code", "crs", "m"),
        ("rotated", "EPSG:32633", "crs", "m"),
        ("of a slide", None, "µm", "µm"),
        ("without a CRS", None, "px", "px"),
    ],
)
def test_every_kind_of_place_is_told(tmp_path: Path, grid: str, crs: str | None, unit: str, pixel: str) -> None:
    of = stores.spec(grid=specs.GRIDS[grid])
    scene = open_page(stores.begin(tmp_path / "a.zarr", of)).get("/api/scene").json()
    assert (scene["crs"], scene["unit"], scene["pixel"]["unit"]) == (crs, unit, pixel)
    assert scene["transform"] == list(of.grid.transform)
    size = {"of a slide": 0.25, "without a CRS": 1.0}.get(grid, 10.0)
    assert scene["pixel"]["size"] == pytest.approx(size, rel=0.01)


def test_areas_are_those_of_the_statistics(whole: Path) -> None:
    view = StoreView(whole)
    answer = view.areas.wait()
    codes = stores.pixels(stores.spec())
    assert answer["state"] == "done"
    assert {row["code"]: row["pixels"] for row in answer["rows"]} == {
        row.code: int((codes == row.code).sum()) for row in specs.CLASSES
    }
    assert {row["unit"] for row in answer["rows"]} == {"m2"}


def test_outlines_are_those_of_objects_in_the_window(whole: Path) -> None:
    client = open_page(whole)
    objects = client.get("/api/outlines?row=40&col=20&height=10&width=40").json()["objects"]
    codes = stores.pixels(stores.spec())[40:50, 20:60]
    assert {each["code"] for each in objects} == {0, 3}, "neither nodata nor the background"
    for each in objects:
        for col, row in each["rings"][0]:
            assert 40 <= row <= 50
            assert 20 <= col <= 60
    inside = [(row, col) for each in objects for col, row in each["rings"][0][:1]]
    assert all(codes[row - 40, col - 20] in (0, 3) for row, col in inside if row < 50 and col < 60)


def test_too_many_outlines_are_not_drawn(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, url = open_page(whole), "/api/outlines?row=0&col=0&height=600&width=900"
    for name, value in (("MAX_VERTICES", 10), ("MAX_OBJECTS", 5), ("MAX_TRACED_PX", 500)):
        with monkeypatch.context() as patch:
            patch.setattr(outlines, name, value)
            assert "oom in" in client.get(url).json()["why"]
    assert client.get(url).json()["objects"]


def test_seams_are_where_tiles_meet(whole: Path) -> None:
    lines = open_page(whole).get("/api/seams?row=0&col=0&height=600&width=900").json()
    assert {row for row, _, _ in lines["rows"]} == {128, 256, 384, 512}
    assert {col for col, _, _ in lines["cols"]} == {128, 256, 384, 512, 640, 768, 834}, "the last block is cut evenly"


def test_places_are_blocks_that_failed_and_faults_of_the_certificate(tmp_path: Path) -> None:
    path = stores.begin(tmp_path / "a.zarr", stores.spec())
    Ledger(path).fail((1, 3), "<b>no</b> memory")
    faults = [
        {"level": 0, "block": [2, 0], "why": "a chunk is gone"},
        {"level": 0, "block": None, "why": "no place"},
        {"level": 1, "block": [0, 0], "why": "a chunk has changed"},
    ]
    restate(path, {**read_store_meta(path), "certificate": {"passed": False, "why": "x", "faults": faults}})
    places = open_page(path).get("/api/scene").json()["places"]
    assert places == [
        {"row": 256, "col": 768, "height": 256, "width": 132, "why": "not committed: <b>no</b> memory"},
        {"row": 512, "col": 0, "height": 88, "width": 256, "why": "a chunk is gone"},
        {"row": 0, "col": 0, "height": 600, "width": 900, "why": "a chunk has changed"},
    ]


def test_places_are_the_worst_seams_too(tmp_path: Path) -> None:
    path = stores.begin(tmp_path / "a.zarr", stores.spec())
    (path / "0/mask/seams").mkdir()
    about = np.frombuffer(json.dumps([[10, 20, 64, 32], 0.5]).encode(), np.uint8)
    np.savez_compressed(path / "0/mask/seams/0.npz", about=about)
    np.savez_compressed(path / "0/mask/seams/1.npz", about=np.zeros(10**6, np.uint8))
    (path / "0/mask/seams/2.npz").write_bytes(b"no archive")
    assert StoreView(path).describe()["places"] == [], "without a certificate they are of another store"
    certificate = {"passed": True, "why": "x", "faults": [], "std": 2.0, "unit": "standard deviations of the logits"}
    restate(path, {**read_store_meta(path), "certificate": certificate})
    assert open_page(path).get("/api/scene").json()["places"] == [
        {
            "row": 10,
            "col": 20,
            "height": 64,
            "width": 32,
            "why": "a seam that differs from its reference by up to 2.5e-01 standard deviations of the logits",
        }
    ]


def test_levels_of_tiles_end_where_one_fits_a_screen() -> None:
    assert [tile_levels(Grid(height=n, width=9)) for n in (1, 512, 513, 1025, 100_000)] == [1, 1, 2, 3, 9]
    assert MapTile(level=1, row=0, col=1).window(Grid(height=600, width=900)).width == 450 - 256


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "url(http://x)"])
def test_a_colour_that_is_none_is_refused(tmp_path: Path, color: str) -> None:
    path = stores.begin(tmp_path / "a.zarr", stores.spec())
    meta = read_store_meta(path)
    restate(path, {**meta, "classes": [{**meta["classes"][0], "color": color}]})
    with pytest.raises(StoreError, match="is not of the form #rrggbb"):
        StoreScene(path)


@pytest.mark.parametrize("code", [-1, 65536, "0", 0.5])
def test_a_code_that_is_none_is_refused(tmp_path: Path, code: object) -> None:
    path = stores.begin(tmp_path / "a.zarr", stores.spec())
    meta = read_store_meta(path)
    restate(path, {**meta, "classes": [{**meta["classes"][0], "code": code}]})
    with pytest.raises(StoreError, match="is not one from 0 to 65535"):
        StoreScene(path)


def test_a_chunk_that_takes_too_much_is_not_decoded(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(10**5, 10**5), chunks=(10**5, 10**5), dtype="uint8", fill_value=0)
    with pytest.raises(StoreError, match="takes more than 64 MiB"):
        open_array(tmp_path, "a")


def test_codecs_that_run_what_is_stored_are_refused(tmp_path: Path) -> None:
    """Of all that numcodecs has, only those that decompress are used: pickles are among the others."""
    filters = [numcodecs.Delta(dtype="i4")]
    zarr.create_array(tmp_path / "a", shape=(8,), chunks=(8,), dtype="int32", zarr_format=2, filters=filters)
    with pytest.raises(StoreError, match="by the codecs delta"):
        open_array(tmp_path, "a")


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store of ours"):
        StoreScene(tmp_path)
    path = stores.begin(tmp_path / "a.zarr", replace(stores.spec()))
    restate(path, {key: value for key, value in read_store_meta(path).items() if key != "tiles"})
    with pytest.raises(StoreError, match="does not say tiles"):
        StoreScene(path)


@pytest.mark.slow
def test_neither_torch_nor_a_network_is_imported(whole: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.viewer.server import serve; "
        "from pipeline.viewer.view import StoreView; view = StoreView(Path(sys.argv[1]), True); view.describe(); "
        "view.areas.wait(); assert not {'torch', 'pipeline.models', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(whole)], check=True)
