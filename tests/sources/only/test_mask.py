"""Mask pictures, pixel by pixel against arithmetic by hand, and by blocks against their pixels."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.transform import Affine

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import PackedMask
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.sources.only import areas_on_grid, mask_file
from pipeline.sources.only.area import RequestedArea
from pipeline.sources.only.mask_area import AxisMap, MaskArea
from pipeline.sources.only.mask_file import open_mask
from tests.quality.labels.places import DEGREES, LAEA, UTM, cut, whole, windows
from tests.sources.aoi.shapes import OF, placed, write

PLAIN = Grid(height=90, width=120)


def random_mask(height: int, width: int, seed: int = 0, share: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width)) < share


def picture(path: Path, mask: np.ndarray, value: int = 255) -> str:
    Image.fromarray(mask.astype("uint8") * value).save(path)
    return str(path)


def by_hand(mask: np.ndarray, of: Grid = PLAIN) -> np.ndarray:
    """The cell in which the centre of each pixel lies, where a mask is stretched over a raster."""
    rows, cols = (
        np.floor((np.arange(length) + 0.5) * cells / length).astype(int)
        for length, cells in zip((of.height, of.width), mask.shape, strict=True)
    )
    return mask[np.ix_(rows, cols)]


def layout(of: Grid, block: int, swaths: int = 1) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=1, halo=2, core=64) for n in (of.height, of.width))
    return BlockGrid(height=of.height, width=of.width, block=block, rows=rows, cols=cols, swaths=swaths)


@pytest.mark.parametrize("shape", [(90, 120), (45, 60), (9, 12), (3, 4), (13, 17), (180, 240)])
def test_a_mask_of_any_resolution_is_stretched_over_the_raster(tmp_path: Path, shape: tuple[int, int]) -> None:
    mask = random_mask(*shape)
    area, expected = open_mask(picture(tmp_path / "mask.png", mask), PLAIN), by_hand(mask)
    assert (area.read(whole(PLAIN)) == expected).all()
    for window in windows(PLAIN):
        assert (area.read(window) == cut(expected, window, False)).all()
        assert area.touches([window])[0] == cut(expected, window, False).any()
    assert (pickle.loads(pickle.dumps(area)).read(whole(PLAIN)) == expected).all()
    for block in (7, 16, 500):
        for swaths in (1, 2):
            how = layout(PLAIN, block, swaths)
            assert list(area.blocks(how)) == [i for i in how.blocks() if expected[how.window(i).slices].any()]


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    block=st.integers(1, 30),
    offset=st.floats(-5, 5),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_blocks_and_levels_are_those_of_the_pixels(
    height: int, width: int, shape: tuple[int, int], block: int, offset: float, seed: int
) -> None:
    mask, of = random_mask(*shape, seed, 0.15), Grid(height=height, width=width)
    rows = AxisMap(scale=shape[0] / height, offset=offset)
    cols = AxisMap(scale=-shape[1] / width, offset=shape[1] + offset)
    area = MaskArea(origin=InMemory(mask), height=height, width=width, rows=rows, cols=cols)
    pixels, how = area.read(whole(of)), layout(of, block)
    assert list(area.blocks(how)) == [i for i in how.blocks() if pixels[how.window(i).slices].any()]
    if block % 2:  # the middle of a square of odd size is the middle of a pixel
        level = Window(row=0, col=0, height=-(-height // block), width=-(-width // block))
        middles = pixels[block // 2 :: block, block // 2 :: block]
        assert (area.read(level, block)[: len(middles), : middles.shape[1]] == middles).all()


class InMemory:
    digest = description = place = "mask"
    notes = ()

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = PackedMask.of(mask)

    def packed(self) -> PackedMask:
        return self._mask


def test_pixels_drawn_at_random_are_asked_for(tmp_path: Path) -> None:
    mask = random_mask(9, 12, share=0.1)
    area, rng = open_mask(picture(tmp_path / "mask.png", mask), PLAIN), np.random.default_rng(0)
    pixels = {area.random_pixel(rng) for _ in range(60)}
    assert len(pixels) > 40
    assert all(by_hand(mask)[pixel] for pixel in pixels)


def test_what_is_not_zero_nodata_or_transparent_is_asked_for(tmp_path: Path) -> None:
    mask = random_mask(9, 12)
    expected = by_hand(mask)

    def read(path: str) -> np.ndarray:
        return open_mask(path, PLAIN).read(whole(PLAIN))

    assert (read(picture(tmp_path / "one.png", mask, 1)) == expected).all()
    Image.fromarray(mask).save(tmp_path / "bit.png")
    assert (read(str(tmp_path / "bit.png")) == expected).all()
    colours = np.zeros((9, 12, 4), "uint8")
    colours[..., 2], colours[..., 3] = mask * 7, 255
    colours[0] = (9, 9, 9, 0)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    without_first = by_hand(np.concatenate([np.zeros_like(mask[:1]), mask[1:]]))
    assert (read(str(tmp_path / "colours.png")) == without_first).all()
    for dtype, nodata in (("float32", float("nan")), ("uint8", 255)):
        with rasterio.open(
            tmp_path / "mask.tif", "w", driver="GTiff", height=9, width=12, count=1, dtype=dtype, nodata=nodata
        ) as out:
            out.write(np.where(np.arange(9)[:, None] == 0, nodata, mask).astype(dtype), 1)
        assert (read(str(tmp_path / "mask.tif")) == without_first).all()


def georeferenced(path: Path, mask: np.ndarray, transform: Affine, crs: str) -> str:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=mask.shape[0],
        width=mask.shape[1],
        count=1,
        dtype="uint8",
        crs=crs,
        transform=transform,
    ) as out:
        out.write(mask.astype("uint8"), 1)
    return str(path)


@pytest.mark.parametrize("turned", [0, 30])
def test_a_mask_with_a_georeference_lies_where_it_says(tmp_path: Path, turned: int) -> None:
    """It covers a part of the raster, and reaches beyond it."""
    mask, to_raster = random_mask(20, 25), Affine.translation(30.3, -8.1) * Affine.rotation(turned) * Affine.scale(6)
    path = georeferenced(tmp_path / "mask.tif", mask, Affine(*OF.transform) * to_raster, UTM)
    y, x = np.mgrid[: OF.height, : OF.width] + 0.5
    cols, rows = (np.floor(value).astype(int) for value in ~to_raster * (x, y))
    inside = (rows >= 0) & (rows < 20) & (cols >= 0) & (cols < 25)
    expected = np.where(inside, mask[np.clip(rows, 0, 19), np.clip(cols, 0, 24)], False)
    actual = open_mask(path, OF).read(whole(OF))
    assert (actual != expected).mean() < (0.15 if turned else 1e-9)  # one that is turned is brought to a lattice
    if not turned:
        assert not actual[:, :30].any()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("crs", [LAEA, DEGREES])
def test_a_mask_in_another_crs_is_warped(tmp_path: Path, crs: str) -> None:
    shape = shapely.Point(60, 45).buffer(28)
    polygons = areas_on_grid(
        SourceConfig(path="a.tif", only=str(write(tmp_path / "a.geojson", placed(shape, OF, DEGREES)))), OF, None
    ).area
    assert polygons is not None
    box = shapely.bounds(placed(shape, OF, crs))
    side = max(box[2] - box[0], box[3] - box[1]) / 60
    transform = Affine(side, 0, box[0] - side, 0, -side, box[3] + side)
    size = int((box[3] - box[1]) / side) + 3, int((box[2] - box[0]) / side) + 3
    of = Grid(height=size[0], width=size[1], transform=tuple(transform)[:6], wkt=rasterio.CRS.from_string(crs).to_wkt())
    burned = areas_on_grid(SourceConfig(path="a.tif", only=str(tmp_path / "a.geojson")), of, None).area
    assert burned is not None
    path = georeferenced(tmp_path / "mask.tif", burned.read(whole(of)), transform, crs)
    one, other = open_mask(path, OF).read(whole(OF)), polygons.read(whole(OF))
    assert (one & other).sum() / (one | other).sum() > 0.93


@pytest.mark.parametrize(
    ("shape", "of", "words"),
    [
        ((40, 60), PLAIN, r"has 40 × 60 px and the raster 90 × 120 px, which is another shape"),
        ((60, 45), PLAIN, r"has 60 × 45 px and the raster"),
        ((200, 400), PLAIN, r"mask\.png takes 200 × 400 px, more than 50,000 px"),
    ],
)
def test_masks_that_do_not_fit_are_refused_in_one_paragraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], of: Grid, words: str
) -> None:
    monkeypatch.setattr(mask_file, "MAX_MASK_PX", 50_000)
    with pytest.raises(SourceError, match=words) as caught:
        open_mask(picture(tmp_path / "mask.png", random_mask(*shape)), of)
    assert "\n" not in str(caught.value)


def test_a_mask_with_a_crs_on_a_raster_without_one_and_files_that_are_no_picture_are_refused(tmp_path: Path) -> None:
    path = georeferenced(tmp_path / "mask.tif", random_mask(9, 12), Affine.scale(10), UTM)
    with pytest.raises(SourceError, match=r"source\.only, .*cannot be laid on the image: they have a CRS"):
        open_mask(path, PLAIN)
    with pytest.raises(SourceError, match=r"has no pixel other than 0"):
        open_mask(picture(tmp_path / "black.png", np.zeros((9, 12), bool)), PLAIN)
    with pytest.raises(SourceError, match=r"gone\.png cannot be opened: .*Give tissue, polygons as GeoJSON"):
        open_mask(str(tmp_path / "gone.png"), PLAIN)


def test_a_mask_that_was_saved_again_is_the_same_and_one_that_was_changed_is_not(tmp_path: Path) -> None:
    mask = random_mask(9, 12)
    area = open_mask(picture(tmp_path / "mask.png", mask), PLAIN)
    assert open_mask(picture(tmp_path / "again.png", mask, 3), PLAIN).digest == area.digest
    mask[0, 0] ^= True
    assert open_mask(picture(tmp_path / "other.png", mask), PLAIN).digest != area.digest
    picture(tmp_path / "mask.png", mask)
    mask_file._packed.cache_clear()
    with pytest.raises(SourceError, match=r"not those with which the run began"):
        area.read(whole(PLAIN))


def qupath(path: Path, shapes: list[tuple[Any, Any]]) -> str:
    """GeoJSON as QuPath writes it: nested classification, and coordinates of the level 0."""
    features = [
        {
            "type": "Feature",
            "id": f"{number:08}-0000-4000-8000-000000000000",
            "geometry": json.loads(shapely.to_geojson(shape)),
            "properties": {
                "objectType": "annotation",
                **({} if name is None else {"classification": {"name": name, "color": [200, 0, 0]}}),
            },
        }
        for number, (shape, name) in enumerate(shapes)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def only(value: Any, of: Grid = PLAIN) -> RequestedArea:
    area = areas_on_grid(SourceConfig.model_validate({"path": "a.tif", "only": value}), of, None).area
    assert area is not None
    return area


def centres(shape: Any) -> np.ndarray:
    y, x = np.mgrid[: PLAIN.height, : PLAIN.width] + 0.5
    return shapely.contains_xy(shape, x, y)


@pytest.mark.parametrize("um", [False, True])
def test_geojson_of_qupath_is_in_pixels_of_the_slide_with_holes_parts_and_classes(tmp_path: Path, um: bool) -> None:
    ring = shapely.Point(40, 40).buffer(30).difference(shapely.Point(44, 38).buffer(12))
    parts = shapely.MultiPolygon([shapely.box(80.2, 5.1, 100.7, 20.9), shapely.box(90.3, 60.2, 118.4, 80.8)])
    path = qupath(tmp_path / "a.geojson", [(ring, "Tumor"), (parts, "Stroma"), (shapely.box(2, 80, 9, 88), None)])
    of = Grid(height=90, width=120, transform=(0.5, 0, 0, 0, 0.5, 0), unit="um") if um else PLAIN
    everything = shapely.union_all([ring, parts, shapely.box(2, 80, 9, 88)])
    assert (only(path, of).read(whole(of)) == centres(everything)).all()
    assert (only({"path": path, "classes": ["Tumor"]}, of).read(whole(of)) == centres(ring)).all()
    assert (only({"path": path, "classes": ["Stroma", "Tumor"]}, of).read(whole(of)) == centres(ring | parts)).all()
    with pytest.raises(SourceError, match=r"hold no polygon of the class Tumour; their classes are .*Stroma, Tumor"):
        only({"path": path, "classes": ["Tumour"]})
    plain = qupath(tmp_path / "plain.geojson", [(ring, None)])
    with pytest.raises(SourceError, match=r"have no field classification or class, by which source\.only\.classes"):
        only({"path": plain, "classes": ["Tumor"]})
