"""Windows of a slide are windows of one image, at a level or at any µm per px."""

from __future__ import annotations

import importlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from pipeline.config import SourceConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ExtraError, ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources import open_source
from pipeline.sources.slide_files.slide_source import SlideSource
from tests import scenes, slides

RNG = np.random.default_rng(0)


def opened(path: Path, **keys: Any) -> SlideSource:
    source = open_source(SourceConfig(kind="slide", path=str(path), **keys))
    assert isinstance(source, SlideSource)
    return source


def whole(source: Any) -> Any:
    return source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))


def image(source: Any) -> np.ndarray:
    """(rows, cols, bands) of all of a slide."""
    return np.moveaxis(whole(source).data, 0, -1)


def stored(path: Path, page: int) -> np.ndarray:
    return tifffile.imread(path, key=page)


@pytest.fixture(scope="module")
def svs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Levels of whole squares of 4 and 16 px."""
    tissue = slides.tissue()
    levels = [tissue, slides.squares(tissue, 4), slides.squares(tissue, 16)]
    return slides.aperio(tmp_path_factory.mktemp("svs") / "a.svs", levels)


def test_levels_are_read_as_they_are_stored(svs: Path) -> None:
    for level, page in ((0, 0), (1, 2), (2, 3)):
        assert (image(opened(svs, level=level)) == stored(svs, page)).all()
    assert opened(svs).grid.pixel_size == (0.2528, 0.2528)
    assert opened(svs, level=1).grid.pixel_size == pytest.approx((4 * 0.2528, 4 * 0.2528))
    assert opened(svs).rgb == (0, 1, 2)


@pytest.mark.parametrize(("mpp", "page"), [(0.5, 0), (0.9, 0), (1.3, 2), (4.3, 3), (0.2, 0)])
def test_a_pixel_is_the_mean_of_what_it_covers(svs: Path, mpp: float, page: int) -> None:
    source, scale = opened(svs, mpp=mpp), {0: 1, 2: 4, 3: 16}[page]
    got, level = image(source), stored(svs, page)
    assert source.level.rows.scale == scale
    assert got.shape[0] == round(level.shape[0] * scale * 0.2528 / mpp)
    inside = [slice(int(length * scale * 0.2528 / mpp)) for length in level.shape[:2]]
    step = mpp / (0.2528 * scale)
    expected = slides.averaged(level, (step, step), got.shape[:2])
    assert (np.abs(got - expected) <= 0.5 + 1e-6)[tuple(inside)].all()


def test_a_run_at_a_level_is_that_level_where_its_pixels_are_what_is_asked_for(svs: Path) -> None:
    source = opened(svs, mpp=4 * 0.2528)
    assert source.aligned
    assert (image(source) == stored(svs, 2)).all()
    within = opened(svs, mpp=4 * 0.2528 / 1.0005)
    assert (within.level.index, within.aligned) == (1, False)
    assert opened(svs, mpp=4 * 0.2528 / 1.002).level.index == 0


@pytest.mark.parametrize("method", ["bilinear", "lanczos"])
def test_pillow_makes_the_same_image_within_one_unit(svs: Path, method: str) -> None:
    """Of floats, since Pillow rounds integers between its two passes."""
    step = 0.5 / 0.2528
    side = int(slides.SIDE / step)
    how: dict[str, Any] = {"resample": Image.Resampling[method.upper()], "box": (0, 0, side * step, side * step)}
    bands = [Image.fromarray(band.astype(np.float32)) for band in np.moveaxis(stored(svs, 0), -1, 0)]
    made = np.stack([np.asarray(band.resize((side, side), reducing_gap=None, **how)) for band in bands], axis=-1)
    got = image(opened(svs, mpp=0.5, resampling=method))[:side, :side]
    assert np.abs(got - np.clip(made, 0, 255))[8:-8, 8:-8].max() <= 0.51


@pytest.mark.parametrize("keys", [{"mpp": 0.5}, {"mpp": 1.3, "resampling": "lanczos"}, {"mpp": 0.2}, {"level": 1}])
def test_windows_are_bit_equal_to_the_whole_in_any_order_thread_and_process(svs: Path, keys: dict[str, Any]) -> None:
    source = opened(svs, **keys)
    full, again = whole(source), pickle.loads(pickle.dumps(opened(svs, **keys)))
    size = source.grid.height
    corners = RNG.integers(-20, size, (40, 2)).tolist()
    windows = [
        Window(row=r, col=c, height=int(h), width=int(w))
        for (r, c), (h, w) in zip(corners, RNG.integers(1, 90, (40, 2)), strict=True)
    ]
    with ThreadPoolExecutor(6) as pool:
        for window, got in zip(windows, pool.map(again.read, windows), strict=True):
            inside = window.clip(size, size)
            part = (slice(None), *inside.index_in(window))
            assert (got.data[part] == full.data[(slice(None), *inside.slices)]).all()
            assert got.valid.sum() == inside.pixels


@pytest.mark.parametrize("steps", [(2, 8), (3,), (2.51,)])
def test_windows_are_bit_equal_to_the_whole_whatever_the_steps_of_levels_are(
    tmp_path: Path, steps: tuple[float, ...]
) -> None:
    tissue = slides.tissue(603)
    levels = [slides.brought(tissue, round(603 / step), round(603 / step)) for step in steps]
    path = slides.pyramid(tmp_path / "a.tif", [tissue, *levels])
    for k, step in enumerate((1, *steps)):
        source = opened(path, mpp=0.25 * step * 1.3, pixel_size=0.25)
        assert source.level.index == k
        full, size = whole(source), source.grid.height
        for row, col, height, width in RNG.integers(1, size // 2, (8, 4)).tolist():
            window = Window(row=row, col=col, height=height, width=width)
            assert (source.read(window).data == full.data[(slice(None), *window.slices)]).all()


@pytest.mark.parametrize("made", ["squares", "brought", "picked"])
def test_a_level_lies_where_its_pixels_show_it(tmp_path: Path, made: str) -> None:
    """A level of 175 px of 703 px may have pixels of 4 px or of 4.017 px, and those may be every fourth."""
    tissue = slides.tissue(703)
    small = {
        "squares": slides.squares(tissue, 4),
        "brought": slides.brought(tissue, 175, 175),
        "picked": tissue[::4, ::4][:175, :175].copy(),
    }[made]
    path = slides.pyramid(
        tmp_path / "a.tif", [tissue, small], compression="jpeg", resolution=(40000, 40000), resolutionunit="CENTIMETER"
    )
    source = opened(path, level=1)
    scale, origin = {"squares": (4, 0), "brought": (703 / 175, 0), "picked": (4, -1.5)}[made]
    assert (source.level.rows.scale, source.level.cols.origin) == (scale, origin)
    assert source.grid.transform[:3] == pytest.approx((0.25 * scale, 0, 0.25 * origin))
    assert (image(source) == stored(path, 1)).all()


def test_a_scale_that_is_no_whole_number_is_kept_along_each_axis(tmp_path: Path) -> None:
    tissue = slides.tissue(603)[:, :503]
    path = slides.pyramid(tmp_path / "a.tif", [tissue, slides.brought(tissue, 240, 200)])
    source = opened(path, mpp=1.2, pixel_size=0.4)
    assert (source.level.rows.scale, source.level.cols.scale) == (603 / 240, 503 / 200)
    steps = 3 * 240 / 603, 3 * 200 / 503
    expected = slides.averaged(stored(path, 1), steps, (201, 168))
    assert np.abs(image(source) - expected).max() <= 0.5 + 1e-6


def test_tiles_that_were_never_scanned_are_nodata(tmp_path: Path) -> None:
    tile = np.full((128, 128, 3), 200, np.uint8)
    path = tmp_path / "a.tif"
    how: dict[str, Any] = {"shape": (512, 512, 3), "dtype": "uint8", "tile": (128, 128), "photometric": "rgb"}
    tifffile.imwrite(path, (None if k >= 8 else tile for k in range(16)), compression="zlib", **how)
    pixels = whole(opened(path))
    assert (pixels.valid == (np.arange(512) < 256)[:, None]).all()
    assert CAUSES[pixels.causes[-1, -1]] == "never written"
    half = whole(opened(path, mpp=0.75, pixel_size=0.25))
    assert (half.valid == (np.arange(171) < 85)[:, None]).all()
    assert (half.data[:, half.valid] == 200).all()
    assert whole(opened(path, nodata=None)).valid.all()


def test_transparent_pixels_are_nodata_unless_alpha_is_a_band(tmp_path: Path) -> None:
    rgba = np.dstack([slides.tissue(256), np.full((256, 256), 255, np.uint8)])
    rgba[:, :100, 3] = 0
    path = slides.pyramid(tmp_path / "a.tif", [rgba], compression="zlib", extrasamples=["unassalpha"])
    assert (whole(opened(path)).valid == (np.arange(256) >= 100)).all()
    assert opened(path).bands == 3
    assert (whole(opened(path, bands=[4, 1])).data == np.moveaxis(rgba, -1, 0)[[3, 0]]).all()
    assert whole(opened(path, bands=[4, 1])).valid.all()


def test_a_value_may_be_nodata(svs: Path) -> None:
    white = int(stored(svs, 0)[0, 0, 0])
    expected = stored(svs, 0)[..., 0] != white
    assert (whole(opened(svs, bands=[1], nodata=white)).valid == expected).all()


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_channels_of_an_ome_tiff_are_bands_of_any_depth(tmp_path: Path, dtype: str) -> None:
    planes = (np.random.default_rng(1).random((5, 300, 280)) * 4000).astype(dtype)
    path, meta = (
        tmp_path / "a.ome.tif",
        {"axes": "CYX", "PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.325},
    )
    with tifffile.TiffWriter(path, ome=True) as file:
        how: dict[str, Any] = {"tile": (64, 64), "photometric": "minisblack", "compression": "zlib"}
        file.write(planes, subifds=1, metadata=meta, **how)
        file.write(planes.reshape(5, 150, 2, 140, 2).mean((2, 4)).astype(dtype), subfiletype=1, **how)
    source = opened(path)
    assert (source.bands, source.dtype, source.rgb) == (5, dtype, ())
    assert (whole(source).data == planes).all()
    assert (whole(opened(path, bands=[5, 2])).data == planes[[4, 1]]).all()
    assert source.grid.pixel_size == (0.325, 0.325)
    assert (opened(path, mpp=0.65).level.index, opened(path, mpp=0.65).aligned) == (1, True)


def test_planes_beside_the_first_are_named(tmp_path: Path) -> None:
    planes = np.arange(2 * 3 * 64 * 64, dtype=np.uint16).reshape(2, 3, 64, 64)
    tifffile.imwrite(tmp_path / "a.ome.tif", planes, tile=(64, 64), metadata={"axes": "CZYX"}, photometric="minisblack")
    source = opened(tmp_path / "a.ome.tif")
    assert (whole(source).data == planes[:, 0]).all()
    assert any("it has z (3), and only the first is read; source.select" in note for note in source.notes)


def test_what_openslide_reads_is_read_at_level_0_or_as_it_is_stored(svs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The levels of this slide have 4 and 16.28 px by OpenSlide: the second it interpolates for each window."""
    monkeypatch.setattr("pipeline.sources.slide_files.opening.WHOLE_TILES", ())
    first = opened(svs, mpp=4 * 0.2528)
    assert (first.level.index, first.aligned) == (1, True)
    assert (image(first) == stored(svs, 2)).all()
    second = opened(svs, mpp=16 * 0.2528)
    assert second.level.index == 1
    part = Window(row=3, col=5, height=20, width=30)
    assert (second.read(part).data == whole(second).data[(slice(None), *part.slices)]).all()
    with pytest.raises(SourceError, match=r"interpolates anew for each window.*source\.mpp, about 4\.045"):
        opened(svs, level=2)


def test_what_openslide_leaves_transparent_is_nodata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.slide_files.opening.WHOLE_TILES", ())
    tile = np.full((128, 128, 3), 90, np.uint8)
    how: dict[str, Any] = {
        "shape": (256, 512, 3),
        "dtype": "uint8",
        "tile": (128, 128),
        "photometric": "rgb",
        "metadata": None,
    }
    description = "Aperio Image Library v12\r\n512x256|AppMag = 40|MPP = 0.5"
    data = (None if k in (1, 6) else tile for k in range(8))
    tifffile.imwrite(tmp_path / "a.svs", data, compression="zlib", description=description, **how)
    assert openslide.OpenSlide.detect_format(str(tmp_path / "a.svs")) == "aperio"
    pixels = whole(opened(tmp_path / "a.svs"))
    expected = np.ones((2, 4), bool)
    expected[0, 1] = expected[1, 2] = False
    assert (pixels.valid == expected.repeat(128, 0).repeat(128, 1)).all()
    assert (pixels.data[:, pixels.valid] == 90).all()


def test_each_tile_is_decoded_once_though_windows_share_it(svs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, decoded = opened(svs, mpp=0.5), []
    plain = type(source._file).read_tile
    monkeypatch.setattr(type(source._file), "read_tile", lambda *args: decoded.append(args[2:4]) or plain(*args))
    for row in range(0, source.grid.height, 50):
        for col in range(0, source.grid.width, 50):
            source.read(Window(row=row, col=col, height=60, width=60))
    assert len(decoded) == len(set(decoded)) == 36


def test_the_size_that_the_config_gives_overrules_the_files(svs: Path) -> None:
    source = opened(svs, mpp=0.5, pixel_size=[0.5, 0.25])
    assert (source.grid.height, source.grid.width, source.grid.pixel_size) == (700, 350, (0.5, 0.5))
    assert "0.5 × 0.25 µm per px, by source.pixel_size, in place of 0.2528 µm per px, by Aperio's MPP" in source.notes
    assert any("by Aperio's MPP" in note for note in opened(svs).notes)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mpp": 0.5}, ["source.pixel_size", "264.583"]),
        ({"level": 2}, ["source.level is 2", "0 of 256 × 256 px"]),
        ({"bands": [4]}, ["band 4", "has 3 bands"]),
        ({"scale_tags": True}, ["source.scale_tags"]),
    ],
)
def test_what_a_slide_lacks_is_named(tmp_path: Path, keys: dict[str, Any], words: list[str]) -> None:
    path = slides.pyramid(tmp_path / "a.tif", [slides.tissue(256)], resolution=(96, 96), resolutionunit="INCH")
    with pytest.raises(SourceError) as error:
        opened(path, **keys)
    assert all(word in str(error.value) for word in words)
    assert any("96 dpi" in note and "source.pixel_size" in note for note in opened(path).notes)


def test_a_size_that_nothing_states_is_named(tmp_path: Path) -> None:
    path = slides.aperio(tmp_path / "a.svs", [slides.tissue(256)], mpp=None)
    with pytest.raises(SourceError, match=r"says nothing of it\. Give source\.pixel_size"):
        opened(path, mpp=0.5)
    assert opened(path).grid.unit == "px"


def test_what_is_no_slide_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_text("no slide")
    for name, words in (("a.svs", "no slide"), ("b.svs", "does not exist"), ("", "is a folder")):
        with pytest.raises(SourceError, match=words):
            opened(tmp_path / name)
    with pytest.raises(SourceError, match="on a disk"):
        open_source(SourceConfig(kind="slide", path="s3://bucket/a.svs"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"kind": "raster", "mpp": 0.5}, "mpp is a key of kind: slide"),
        ({"kind": "slide", "mpp": 0.5, "level": 1}, "mpp is 0.5 and level is 1"),
        ({"kind": "slide", "resampling": "lanczos"}, "resampling is lanczos"),
        ({"kind": "slide", "mpp": -1}, "source.mpp"),
    ],
)
def test_keys_that_do_not_fit_are_refused(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(scenes.config(tmp_path, source={"path": "a.svs", **keys}))
    assert words in str(error.value)


@pytest.mark.parametrize("library", ["openslide", "imagecodecs"])
def test_a_missing_library_names_its_extra(svs: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *args: Any) -> Any:
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return plain(name, *args)

    plain = importlib.import_module
    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(ExtraError, match=r"wholecloth\[slides\]"):
        opened(svs)


def test_a_damaged_tile_fails_its_window_and_no_other(svs: Path, tmp_path: Path) -> None:
    raw = bytearray(svs.read_bytes())
    with tifffile.TiffFile(svs) as file:
        page = file.pages[0]
        start, size = page.dataoffsets[7], page.databytecounts[7]
    raw[start : start + size] = bytes(size)
    (tmp_path / "a.svs").write_bytes(raw)
    source = opened(tmp_path / "a.svs")
    with pytest.raises(ReadError, match="tile 7"):
        source.read(Window(row=130, col=130, height=10, width=10))
    part = Window(row=0, col=0, height=100, width=100)
    assert (source.read(part).data == opened(svs).read(part).data).all()


def test_a_series_of_dicom_is_a_slide(tmp_path: Path) -> None:
    tissue = slides.tissue(512)
    path = slides.dicom(tmp_path, [tissue, slides.squares(tissue, 4)])
    assert (image(opened(path)) == tissue).all()
    assert (image(opened(path, mpp=2)) == slides.squares(tissue, 4)).all()
    half = opened(path, mpp=1)
    assert np.abs(image(half) - slides.averaged(tissue, (2, 2), (256, 256))).max() <= 0.5
    assert "0.5 µm per px, by its header (dicom)" in half.notes
    before = half.identity()["files"]
    (tmp_path / "1.dcm").touch()
    assert half.identity()["files"] != before


def test_a_damaged_level_stands_in_the_way_of_no_other(tmp_path: Path) -> None:
    tissue = slides.tissue(512)
    path = slides.dicom(tmp_path, [tissue, slides.squares(tissue, 4)])
    path.write_bytes(path.read_bytes()[:-1000])
    assert (image(opened(path, mpp=2)) == slides.squares(tissue, 4)).all()
    for _ in range(2):  # a handle that failed once fails again in other words
        with pytest.raises(ReadError, match="cannot be read at level 0"):
            whole(opened(path))
    coarse = tmp_path / "1.dcm"
    coarse.write_bytes(coarse.read_bytes()[:-1000])
    with pytest.raises(SourceError, match=r"cannot be read at level 1, .*give a whole copy of the slide"):
        opened(path, mpp=2)
