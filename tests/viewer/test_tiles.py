"""Tiles show what a store holds, at each level, while a run is at work and afterwards."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.geometry.window import Window
from pipeline.store.lifecycle import open_layer
from pipeline.store.values import ValuesSpec
from pipeline.viewer import commits, layer_pixels, scene, small_layer
from pipeline.viewer.paint import class_png, number_png
from pipeline.viewer.view import StoreView
from tests.store import specs
from tests.viewer import stores
from tests.viewer.client import colored, open_page, tile


@pytest.fixture
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that grows is looked at by each request."""
    for module in (commits, scene):
        monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(commits, "LOOK_SHARE", 0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete store, which no test changes."""
    return stores.whole(tmp_path_factory.mktemp("tiles") / "a.zarr")


def test_tiles_of_the_full_resolution_lie_side_by_side(whole: Path) -> None:
    of, client = stores.spec(), open_page(whole)
    rows = [np.hstack([tile(client, f"/tiles/mask/0/{row}/{col}.png") for col in range(4)]) for row in range(3)]
    picture = np.vstack(rows)
    assert np.array_equal(picture[:600, :900], colored(stores.pixels(of), of.classes))
    assert not picture[600:].any()
    assert not picture[:, 900:].any()


def test_coarser_tiles_are_the_overviews_of_the_store(whole: Path) -> None:
    codes = np.asarray(open_layer(whole, 1, "mask")[:])
    picture = tile(open_page(whole), "/tiles/mask/1/0/1.png")
    assert np.array_equal(picture[:256, : 450 - 256], colored(codes[:256, 256:], stores.spec().classes))


def test_classes_that_are_hidden_are_transparent(whole: Path) -> None:
    picture = tile(open_page(whole), "/tiles/mask/0/0/0.png?hide=3,7")
    assert np.array_equal(picture[..., 3] > 0, stores.pixels(stores.spec())[:256, :256] == 0)


def test_confidence_rises_along_the_ramp_and_is_transparent_where_there_is_none(tmp_path: Path) -> None:
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    stores.fill(path, of, [(0, 0)])
    stores.complete(path, of)
    open_layer(path, 0, "confidence")[0, :3] = [0, 1, 255]
    picture = tile(open_page(path), "/tiles/confidence/0/0/0.png")
    assert picture[0, 0, 3] == 0
    assert np.abs(picture[0, 1].astype(int) - (68, 1, 84, 255)).max() <= 3
    assert picture[0, 2].tolist() == [253, 231, 37, 255]


def test_only_committed_blocks_are_shown(tmp_path: Path, always_looks: None) -> None:
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    stores.write(path, of, Window(row=0, col=0, height=600, width=900))
    client = open_page(path)
    assert not tile(client, "/tiles/mask/0/0/0.png").any()
    stores.fill(path, of, [(0, 1)])
    assert not tile(client, "/tiles/mask/0/0/0.png").any()
    assert tile(client, "/tiles/mask/0/0/1.png")[..., 3].mean() > 200


def test_a_coarse_tile_of_a_run_at_work_is_made_of_what_is_committed(tmp_path: Path, always_looks: None) -> None:
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    client = open_page(path)
    stores.fill(path, of, [(0, 0), (1, 1)])
    expected = np.full_like(stores.pixels(of), of.nodata)
    for row, col in ((0, 0), (256, 256)):
        expected[row : row + 256, col : col + 256] = stores.pixels(of)[row : row + 256, col : col + 256]
    picture = tile(client, "/tiles/mask/1/0/0.png")
    assert np.array_equal(picture, colored(expected[:512:2, :512:2], of.classes))


@pytest.mark.parametrize("side", [100, 256, 500])
def test_a_whole_layer_is_put_together_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always_looks: None, side: int
) -> None:
    monkeypatch.setattr(small_layer, "SMALL_SIDE_PX", side)
    monkeypatch.setattr(layer_pixels, "MAX_READ_BYTES", 2**14)
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    stores.fill(path, of, [(0, 0)])
    view = StoreView(path)
    level = small_layer.small_level(view.scene)
    before = view.progress()["version"]
    client = open_page(path)
    codes = np.full_like(stores.pixels(of), of.nodata)
    codes[:256, :256] = stores.pixels(of)[:256, :256]
    step = 2 ** max(level, 1)
    small = codes[::step, ::step]
    expected = small.repeat(step // 2, 0).repeat(step // 2, 1)[:256, :256]
    assert np.array_equal(tile(client, "/tiles/mask/1/0/0.png"), colored(expected, of.classes))
    assert client.get("/api/progress").json()["version"] != before


def test_a_page_sees_that_a_run_goes_on_and_ends(tmp_path: Path, always_looks: None) -> None:
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    client = open_page(path)
    first = client.get("/api/progress").json()
    assert (first["committed"], first["blocks"], first["complete"]) == (0, 12, False)
    assert client.get("/api/areas").json() == {"state": "unfinished"}
    stores.fill(path, of)
    second = client.get("/api/progress").json()
    stores.complete(path, of, certificate={"passed": True, "why": "it is whole"})
    third = client.get("/api/progress").json()
    assert (second["committed"], third["complete"]) == (12, True)
    assert len({each["version"] for each in (first, second, third)}) == 3
    assert client.get("/api/scene").json()["certificate"] == {"passed": True, "why": "it is whole"}


def test_the_cleaned_layer_is_shown_first(tmp_path: Path) -> None:
    of = stores.spec(layers=("mask", "cleaned"))
    path = stores.whole(tmp_path / "a.zarr", of, cleaned={"steps": []})
    names = [layer["name"] for layer in open_page(path).get("/api/scene").json()["layers"]]
    assert names == ["cleaned", "mask"]


def test_numbers_are_stretched_between_their_percentiles(tmp_path: Path) -> None:
    values = ValuesSpec(channels=("height", "depth"), dtype="float32")
    of = stores.spec(layers=("values",), classes=(), values=values)
    path = stores.whole(tmp_path / "a.zarr", of)
    client = open_page(path)
    assert client.get("/api/scene").json()["layers"] == [
        {"name": "values", "kind": "numbers", "channels": ["height", "depth"]}
    ]
    limits = client.get("/api/limits?layer=values&channel=1").json()
    depth = stores.pixels(of, "values")[1]
    assert np.allclose(list(limits.values()), np.percentile(depth, (2, 98)), atol=20)
    picture = tile(client, "/tiles/values/0/0/3.png?channel=1")
    assert picture[0, 130].tolist() == [253, 231, 37, 255], "the highest is at the end of the ramp"
    assert client.get("/tiles/values/0/0/0.png?channel=2").status_code == 404


def test_single_objects_have_colours_of_their_own(tmp_path: Path) -> None:
    path = stores.whole(tmp_path / "a.zarr")
    ids = np.zeros((600, 900), dtype="uint32")
    ids[:10, :10], ids[:10, 10:20] = 1, 70_000
    stores.add_instances(path, ids)
    client = open_page(path)
    picture = tile(client, "/tiles/instances/0/0/0.png")
    assert picture[5, 30, 3] == 0
    assert picture[5, 5, 3] == picture[5, 15, 3] == 255
    assert picture[5, 5].tolist() != picture[5, 15].tolist()
    assert np.array_equal(tile(client, "/tiles/instances/1/0/0.png")[:5, :15], picture[:10:2, :30:2])
    assert {"name": "instances", "kind": "instances", "id": 70_000} in client.get("/api/at?row=3&col=15").json()[
        "layers"
    ]


def test_more_classes_than_a_palette_holds_are_drawn(tmp_path: Path) -> None:
    classes = tuple(
        specs.ClassRow(code=code, name=str(code), color=f"#{code % 256:02x}{code // 256:02x}80") for code in range(400)
    )
    codes = np.arange(400, dtype="uint16").reshape(20, 20)
    assert class_png(codes, classes, [7]) != class_png(codes, classes, [])
    assert number_png(np.full((2, 2), np.nan)) == number_png(np.full((9, 9), np.nan))
