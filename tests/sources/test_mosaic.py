"""Many rasters are one: that into which they would be merged, whatever the windows."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, SourceError, StoreError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.runtime import resources
from pipeline.sources import open_source
from pipeline.sources.mosaics.mosaic_source import MosaicSource
from pipeline.store.lifecycle import open_layer
from tests import runs, scenes
from tests.sources.mosaics.pieces import cut, mosaic, noise, piece, same_as_whole, whole, windows


@pytest.mark.parametrize("grid", [None, {"crs": "EPSG:32632", "resolution": 12}])
def test_overlapping_pieces_of_one_lattice_are_the_merged_raster(tmp_path: Path, grid: Any) -> None:
    data = noise()
    merged = open_source_of(piece(tmp_path / "merged.tif", data), grid=grid)
    pieces = pickle.loads(pickle.dumps(mosaic(cut(tmp_path / "pieces", data), grid=grid)))
    assert pieces.grid == merged.grid
    assert (pieces.bands, pieces.dtype) == (2, np.dtype("uint16"))
    expected = whole(merged)
    for window in [*windows(merged), Window(row=0, col=0, height=70, width=90)]:
        assert same_as_whole(merged, window, expected)
        assert same_as_whole(pieces, window, expected)


def open_source_of(path: Path, **more: Any) -> Any:
    return open_source(SourceConfig(path=str(path), **more))


def test_places_in_no_piece_and_invalid_pixels_of_all_are_invalid(tmp_path: Path) -> None:
    data = np.ones((1, 4, 4), "uint16")
    data[0, 0, 0] = 0
    piece(tmp_path / "a.tif", data)
    piece(tmp_path / "b.tif", data, row=4, col=6)
    pixels = whole(mosaic(tmp_path))
    assert pixels.causes is not None
    assert (pixels.causes[0, 0], pixels.causes[0, 5]) == (CAUSES.index("nodata"), CAUSES.index("never written"))
    assert int(pixels.valid.sum()) == 2 * 15


@pytest.mark.parametrize(
    ("overlap", "plain", "beside_holes"),
    [
        ("first", [1, 1, 2, 2], [0, 1, 2, 2]),
        ("last", [1, 3, 3, 3], [0, 1, 3, 3]),
        ("newest", [1, 2, 2, 2], [0, 1, 2, 2]),
    ],
)
def test_the_overlap_says_which_piece_wins_and_the_next_fills_its_holes(
    tmp_path: Path, overlap: str, plain: list[int], beside_holes: list[int]
) -> None:
    dates = ("2021:01:01 00:00:00", "2023:05:01 12:00:00", "2022:01:01 00:00:00")
    for k, date in enumerate(dates):
        data = np.full((1, 3 if k else 2, 4), k + 1, "uint16")
        data[0, 0, 3] = 0  # a hole in the first row of each
        piece(tmp_path / f"p{k}.tif", data, row=min(k, 1), date=date)
    pixels = whole(mosaic(tmp_path, overlap=overlap))
    assert pixels.data[0, :, 0].tolist() == plain
    assert pixels.data[0, :, 3].tolist() == beside_holes
    assert pixels.valid[:, 3].tolist() == [False, True, True, True]


def test_each_piece_has_its_own_nodata(tmp_path: Path) -> None:
    piece(tmp_path / "a.tif", np.array([[[7, 9]]], "uint16"), nodata=7)
    piece(tmp_path / "b.tif", np.array([[[7, 9]]], "uint16"), col=1, nodata=9)
    pixels = whole(mosaic(tmp_path))
    assert pixels.valid.tolist() == [[False, True, False]]
    assert whole(mosaic(tmp_path, nodata=None)).data.tolist() == [[[7, 9, 9]]]


def test_pieces_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    data = np.ones((1, 5, 5), "uint16")
    for name, wrong, message in (
        (
            "crs",
            {"crs": "EPSG:32632"},
            r"b\.tif has EPSG:32632, and .*a\.tif EPSG:32633\. Give source\.grid: \{crs: EPSG:32633, resolution: 10\}",
        ),
        ("size", {"size": 20}, r"b\.tif has pixels of 20 × 20, and .*a\.tif of 10 × 10"),
        ("offset", {"row": 0.5}, r"b\.tif lies by a part of a pixel off the pixels of .*a\.tif"),
        (
            "bands",
            {"data": np.ones((2, 5, 5), "uint16")},
            r"b\.tif has 2 bands of uint16, and .*a\.tif 1 band of uint16",
        ),
        ("dtype", {"data": np.ones((1, 5, 5), "uint8")}, r"b\.tif has 1 band of uint8, and .*a\.tif 1 band of uint16"),
    ):
        piece(tmp_path / name / "a.tif", data)
        piece(tmp_path / name / "b.tif", **{"data": data, "col": 5, **wrong})
        with pytest.raises(SourceError, match=message):
            mosaic(tmp_path / name)
    piece(tmp_path / "empty.tif", data)
    with pytest.raises(SourceError, match=r"overlap is newest, but nothing says when .*empty\.tif was taken"):
        mosaic([str(tmp_path / "empty.tif")], overlap="newest")
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match="in which there is no raster"):
        mosaic(tmp_path / "none")


def test_a_piece_that_cannot_be_opened_is_named_and_left_out_on_request(tmp_path: Path) -> None:
    piece(tmp_path / "a.tif", np.ones((1, 5, 5), "uint16"))
    (tmp_path / "b.tif").write_bytes(b"no raster")
    with pytest.raises(
        SourceError, match=r"b\.tif, a piece of the mosaic, cannot be read: .*source\.unreadable: nodata"
    ):
        mosaic(tmp_path)
    source = mosaic(tmp_path, unreadable="nodata")
    assert any("left out" in note and "b.tif" in note for note in source.notes)
    assert source.identity()["files"] != mosaic([str(tmp_path / "a.tif")]).identity()["files"]


def test_broken_blocks_of_a_piece_are_nodata_on_request_whatever_the_window(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(1, 9000, (1, 64, 64)).astype("uint16")
    path = piece(tmp_path / "a.tif", data, tiled=True, blockxsize=32, blockysize=32, compress="deflate")
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[offset : offset + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"a\.tif cannot be read"):
        whole(mosaic(tmp_path))
    source = mosaic(tmp_path, unreadable="nodata")
    pixels = whole(source)
    assert pixels.causes is not None
    assert (pixels.causes[32:, 32:] == CAUSES.index("unreadable")).all()
    assert int(pixels.valid.sum()) == 64 * 64 - 32 * 32
    assert (pixels.data[0, pixels.valid] == data[0, pixels.valid]).all()
    assert all(same_as_whole(source, window, pixels) for window in windows(source))


def test_few_pieces_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.mosaics.memory.MIN_OPEN_PIECES", 0)
    monkeypatch.setattr("pipeline.sources.mosaics.memory.POOL_BYTES", 0)
    monkeypatch.setattr(resources, "cores", lambda: 2)
    data = scenes.position(20, 120, 1)
    source = mosaic(cut(tmp_path, data, [(0, 10 * k, 20, 10) for k in range(12)]))
    assert isinstance(source, MosaicSource)
    for _ in range(2):
        assert (whole(source).data == data).all()
        assert len(source._pool) == source.handles == 2
    assert source.open_files < 3 * 2**20


@pytest.mark.slow
def test_a_job_over_pieces_is_that_over_the_merged_raster_and_names_what_changed(tmp_path: Path) -> None:
    runs.go(scenes.config(tmp_path, "merged"))
    with rasterio.open(tmp_path / "scene.tif") as raster:
        cut(tmp_path / "pieces", raster.read(), [(0, 0, 170, 250), (0, 230, 170, 190), (150, 0, 150, 420)])
    config = scenes.config(tmp_path, "pieces", source={"kind": "mosaic", "path": str(tmp_path / "pieces")})
    assert not runs.go(config).failures
    masks = [np.asarray(open_layer(tmp_path / f"{name}.zarr", 0, "mask")[:]) for name in ("merged", "pieces")]
    assert (masks[0] == masks[1]).all()
    content = (tmp_path / "pieces" / "p2.tif").read_bytes()
    (tmp_path / "pieces" / "p2.tif").write_bytes(content)  # written anew, with the same pixels
    assert not runs.go(config).failures
    piece(tmp_path / "pieces" / "p2.tif", np.ones((3, 150, 420), "uint16"), row=150)
    with pytest.raises(StoreError, match=r"made of other pixels: of the pieces of .*p2\.tif was changed"):
        runs.go(config)
    (tmp_path / "pieces" / "p2.tif").write_bytes(content)
    piece(tmp_path / "pieces" / "p3.tif", np.ones((3, 10, 10), "uint16"), row=10, col=10)
    with pytest.raises(
        StoreError, match=r"source\.pieces was 3 and is now 4; of the pieces of the mosaic [^;]*p3\.tif was added"
    ):
        runs.go(config)
