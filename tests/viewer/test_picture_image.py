"""The picture that a store keeps stands in for its source."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.made_here import note_made_here
from pipeline.store.picture_spec import PictureSpec
from pipeline.viewer import picture_image, raster_image
from pipeline.viewer.tile_grid import MapTile
from pipeline.viewer.view import StoreView
from tests import scenes
from tests.viewer import stores
from tests.viewer.client import open_page, tile

SPEC = PictureSpec(bands=(2, 0), scale=4, dtype="uint16", chunk=64)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete store with a picture, of which a corner is not known."""
    monkeypatch.setenv("WHOLECLOTH_STATE", str(tmp_path / "state"))
    scenes.write(tmp_path / "scene.tif", scenes.position(600, 900))
    of, source = stores.spec(picture=SPEC), {"path": str(tmp_path / "scene.tif")}
    path = stores.whole(tmp_path / "a.zarr", of, source, picture=SPEC.as_dict())
    bands = scenes.position(600, 900)[[2, 0], ::4, ::4]
    open_layer(path, 0, "mask/picture")[:] = np.concatenate([bands, np.full((1, 150, 225), 100)])
    open_layer(path, 0, "mask/picture")[:, :5, :5] = 0
    return path


@pytest.mark.parametrize("overview", [100, 1024])
@pytest.mark.parametrize("level", [0, 1])
def test_tiles_of_a_picture_lie_where_the_raster_lies(
    store: Path, monkeypatch: pytest.MonkeyPatch, level: int, overview: int
) -> None:
    monkeypatch.setattr(picture_image, "OVERVIEW_PX", overview)
    step = 2**level
    part = StoreView(store).image.readers[0].read(MapTile(level=level, row=1 - level, col=1), [1])
    assert part is not None
    rows, cols = np.arange(256 * (1 - level), 256 * (2 - level)), np.arange(256, min(512, 900 // step))
    rows = rows[rows < 600 // step]
    raster = scenes.position(600, 900)[0]
    expected = raster[np.ix_(rows * step // 4 * 4, cols * step // 4 * 4)]
    assert np.array_equal(part.planes[0], expected)


def test_a_picture_stands_in_for_a_source_that_is_not_opened(store: Path) -> None:
    client = open_page(store)
    image = client.get("/api/scene").json()["image"]
    assert image["bands"] == ["band 3", "band 1"]
    assert "--source" in image["why"]
    picture = tile(client, "/tiles/image/0/0/0.png?bands=0")
    assert not picture[:20, :20].any()
    assert picture[20:, 20:, 3].all()
    assert client.get("/api/at?row=50&col=50").json()["bands"] == [], "means are no raw numbers"


def test_a_picture_stands_in_where_the_source_takes_too_much(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = StoreView(store).image.png(MapTile(level=0, row=0, col=0), [0])
    note_made_here(read_store_meta(store))
    image = StoreView(store).image
    assert image.bands == ("band 1", "band 2", "band 3")
    assert image.png(MapTile(level=0, row=0, col=0), [2]) != alone
    monkeypatch.setattr(raster_image, "MAX_READ_BYTES", 10)
    assert image.png(MapTile(level=0, row=0, col=0), [2]) == alone, "the same band, by its number in the source"
    assert image.png(MapTile(level=0, row=0, col=0), [1]) == image.png(MapTile(level=0, row=1, col=1), [1]), (
        "it lacks that"
    )
