"""The image beneath a mask: at each resolution, stretched once, and never more than is meant to be read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from pipeline.viewer import raster_image, source_image
from pipeline.viewer.image import Image, ImageReader
from pipeline.viewer.raster_image import RasterImage
from pipeline.viewer.source_image import SourceImage
from pipeline.viewer.tile_grid import MapTile
from tests import scenes

HEIGHT, WIDTH = 600, 900


def raster(path: Path, overviews: Sequence[int] = (), **profile: Any) -> Path:
    scenes.write(
        path, scenes.position(HEIGHT, WIDTH), **{"tiled": True, "blockxsize": 128, "blockysize": 128, **profile}
    )
    if overviews:
        with rasterio.open(path, "r+") as out:
            out.build_overviews(list(overviews), Resampling.nearest)
    return path


def reader(path: Path, **config: Any) -> RasterImage:
    return RasterImage(open_source(SourceConfig(path=str(path), **config)))


@pytest.mark.parametrize("overviews", [(), (2, 4)])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_tile_shows_its_part_of_the_raster(tmp_path: Path, overviews: tuple[int, ...], level: int) -> None:
    part = reader(raster(tmp_path / "a.tif", overviews)).read(MapTile(level=level, row=0, col=0), [0, 2])
    assert part is not None
    step = 2**level
    around = scenes.position(HEIGHT, WIDTH)[[0, 2], : 256 * step, : 256 * step].astype(int)
    rows = np.abs(part.planes[0, :, 0].astype(int) - around[0, ::step, 0][: part.planes.shape[1]])
    assert part.planes.shape[1:] == tuple(-(-min(256 * step, n) // step) for n in (HEIGHT, WIDTH))
    assert rows.max() < step, "each row is one of those that it stands for"
    if level == 0:
        assert np.array_equal(part.planes, around)


@pytest.mark.parametrize("kind", [RasterImage, SourceImage])
def test_tiles_at_the_far_edge_end_with_the_raster(tmp_path: Path, kind: Any) -> None:
    part = kind(open_source(SourceConfig(path=str(raster(tmp_path / "a.tif"))))).read(
        MapTile(level=0, row=2, col=3), [1]
    )
    assert np.array_equal(part.planes[0], scenes.position(HEIGHT, WIDTH)[1, 512:, 768:])


def test_what_takes_too_much_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_image, "MAX_READ_BYTES", 512 * 512 * 2 * 3 - 1)
    plain, with_overviews = reader(raster(tmp_path / "a.tif")), reader(raster(tmp_path / "b.tif", [2, 4]))
    fine, coarse = MapTile(level=0, row=0, col=0), MapTile(level=1, row=0, col=0)
    assert plain.read(fine, [0]) is not None
    assert plain.read(coarse, [0]) is None
    assert with_overviews.read(coarse, [0]) is not None


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_strips_count_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interleave: str) -> None:
    path = raster(tmp_path / "a.tif", tiled=False, blockxsize=None, blockysize=16, interleave=interleave)
    bands = 3 if interleave == "pixel" else 1
    size = 256 * WIDTH * 2 * bands
    monkeypatch.setattr(raster_image, "MAX_READ_BYTES", size)
    assert reader(path).read(MapTile(level=0, row=0, col=0), [0]) is not None
    monkeypatch.setattr(raster_image, "MAX_READ_BYTES", size - 1)
    assert reader(path).read(MapTile(level=0, row=0, col=0), [0]) is None


def test_a_source_without_overviews_is_read_within_the_same_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = SourceImage(open_source(SourceConfig(path=str(raster(tmp_path / "a.tif")))))
    part = image.read(MapTile(level=1, row=0, col=0), [0, 1, 2])
    assert part is not None
    assert np.array_equal(part.planes, scenes.position(HEIGHT, WIDTH)[:, :512:2, :512:2])
    monkeypatch.setattr(source_image, "MAX_READ_BYTES", 512 * 512 * 2 * 3 - 1)
    assert image.read(MapTile(level=1, row=0, col=0), [0]) is None
    assert image.sample(0).valid.any()


@pytest.mark.parametrize("config", [{}, {"nodata": 5}, {"nodata": None}, {"nodata_rule": "any"}])
def test_invalid_pixels_are_transparent(tmp_path: Path, config: dict[str, Any]) -> None:
    data = np.full((2, HEIGHT, WIDTH), 9, dtype="uint16")
    data[:, :10], data[0, 10:20], data[:, 20:30] = 0, 0, 5
    path = scenes.write(tmp_path / "a.tif", data, nodata=0)
    part = reader(path, **config).read(MapTile(level=0, row=0, col=0), [0, 1])
    assert part is not None
    invalid = {(): [*range(10)], "nodata": [*range(20, 30)], "nodata_rule": [*range(20)]}
    expected = [] if config.get("nodata", 0) is None else invalid[next(iter(config), ())]
    assert np.flatnonzero(~part.valid[:, 7]).tolist() == expected


class Sampled:
    """A reader that counts its samples."""

    bands = ("one", "two")

    def __init__(self, of: ImageReader) -> None:
        self.of, self.samples = of, list[int]()

    def read(self, tile: MapTile, bands: Sequence[int]) -> Any:
        return self.of.read(tile, bands)

    def sample(self, band: int) -> Any:
        self.samples.append(band)
        return self.of.sample(band)


def test_a_band_is_stretched_once_and_not_by_tile(tmp_path: Path) -> None:
    counted = Sampled(reader(raster(tmp_path / "a.tif")))
    image = Image([counted])
    for row in range(2):
        for bands in ([0], [0, 1, 1]):
            assert image.png(MapTile(level=0, row=row, col=0), bands).startswith(b"\x89PNG")
    assert counted.samples == [0, 1]
    low, high = image.range_of(0)
    assert 1 <= low < 30
    assert 560 < high <= 601


def test_the_next_reader_is_asked_for_what_the_first_cannot_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, coarse = reader(raster(tmp_path / "a.tif")), reader(raster(tmp_path / "b.tif", [2, 4]))
    monkeypatch.setattr(raster_image, "MAX_READ_BYTES", 300 * 500 * 2 * 3)
    tile = MapTile(level=1, row=0, col=0)
    assert Image([plain, coarse]).png(tile, [0]) == Image([coarse]).png(tile, [0])
    assert Image([plain]).png(tile, [0]) != Image([coarse]).png(tile, [0])


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("blue", "Green", "red", "nir"), [2, 1, 0]),
        (("band 1", "band 2", "band 3", "band 4"), [0, 1, 2]),
        (("red", "nir"), [0]),
        ((), []),
    ],
)
def test_colours_are_red_green_and_blue_where_bands_are_named_so(names: tuple[str, ...], shown: list[int]) -> None:
    class Named:
        bands = names

    assert Image([Named()]).default_bands == shown  # type: ignore[list-item]
