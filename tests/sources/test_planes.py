"""Pages, channels and planes of a TIFF are those that a program wrote, by name and by number."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from pipeline.config import SourceConfig
from pipeline.errors import ExtraError, ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources import open_source
from pipeline.sources.raster import RasterSource
from pipeline.sources.slide_files.slide_source import SlideSource
from tests import scenes
from tests.sources.served import served

RNG = np.random.default_rng(0)
NAMES = ["DAPI", "GFP"]
HEIGHT, WIDTH = 70, 90


def opened(path: Path | str, **keys: Any) -> Any:
    return open_source(SourceConfig(path=str(path), **keys))


def whole(source: Any) -> Any:
    return source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))


def image(path: Path | str, **keys: Any) -> np.ndarray:
    """(bands, rows, cols) of all that is read."""
    return whole(opened(path, **keys)).data


def numbers(*shape: int, dtype: str = "uint16") -> np.ndarray:
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, (*shape, HEIGHT, WIDTH), dtype=dtype, endpoint=True)


TZC = numbers(2, 3, 2)
"""(times, z, channels, rows, cols)."""


def ome(path: Path, data: np.ndarray = TZC, axes: str = "TZCYX", **more: Any) -> Path:
    tifffile.imwrite(
        path,
        data,
        ome=True,
        metadata={
            "axes": axes,
            "Channel": {"Name": NAMES},
            "PhysicalSizeX": 0.25,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.5,
            "PhysicalSizeYUnit": "µm",
        },
        **more,
    )
    return path


def imagej(path: Path, data: np.ndarray = TZC, axes: str = "TZCYX", **more: Any) -> Path:
    labels = NAMES * (data.size // HEIGHT // WIDTH // 2)
    metadata = {"axes": axes, "unit": "um", **({"Labels": labels} if "C" in axes else {})}
    tifffile.imwrite(path, data, imagej=True, resolution=(4, 2), metadata=metadata, **more)
    return path


def beyond_4_gib(path: Path) -> Path:
    """A stack as ImageJ writes those that are beyond 4 GiB: one page, behind which the planes lie."""
    return imagej(path, truncate=True)


WRITERS = {"OME-TIFF": ome, "ImageJ": imagej, "ImageJ beyond 4 GiB": beyond_4_gib}


@pytest.fixture(scope="module", params=WRITERS)
def hyperstack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return WRITERS[request.param](tmp_path_factory.mktemp("hyperstack") / "a.tif")


@pytest.mark.parametrize("kind", ["raster", "slide"])
def test_channels_z_and_times_are_chosen_by_name_and_by_number(hyperstack: Path, kind: str) -> None:
    for select, expected in (
        ({"channel": 1, "z": 2, "time": 1}, TZC[1, 2, 1:]),
        ({"z": 0, "time": 1}, TZC[1, 0]),
        ({"channel": [1, 0], "z": 1, "time": 0}, TZC[0, 1, ::-1]),
        ({"c": 0, "z": 1, "t": 0}, TZC[0, 1, :1]),
        ({"channel": 0, "z": [2, 0], "time": 0}, TZC[0, [2, 0], 0]),
        ({"channel": 0, "z": "max", "time": 1}, TZC[1, :, 0].max(0)[None]),
        ({"z": "mean", "time": 0}, np.floor(TZC[0].mean(0) + 0.5)),
    ):
        assert (image(hyperstack, kind=kind, select=select) == expected).all(), select


@pytest.mark.parametrize("write", [ome, imagej])
def test_channels_go_by_the_names_that_the_file_gives(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / "a.tif")
    got = image(path, select={"channel": ["GFP", "DAPI"], "z": 0, "time": 0})
    assert (got == TZC[0, 0, ::-1]).all()
    with pytest.raises(SourceError, match=r"asks for channel Cy5.* It has DAPI, GFP\. Name one"):
        opened(path, select={"channel": "Cy5", "z": 0, "time": 0})


def test_what_is_read_is_said(tmp_path: Path) -> None:
    notes = opened(ome(tmp_path / "a.tif"), select={"channel": "GFP", "z": "max", "time": 1}).notes
    assert notes[:3] == ("its time is 1 of 0 to 1", "its z is the max of all 3", "its channel is GFP")
    assert any("0.5 × 0.25 µm per px, by its OME-XML" in note for note in notes)


def test_a_dimension_that_is_left_open_is_refused(hyperstack: Path) -> None:
    with pytest.raises(SourceError, match=r"leaves open time \(2\); z \(3\).*one value for each"):
        opened(hyperstack, select={"channel": 0})


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ({"well": "A1"}, r"names well, but the array has no such dimension.*z \(3\)"),
        ({"z": 3, "time": 0}, r"z has no labels and 3 places.*0 to 2, or max or mean"),
        ({"z": "max", "time": "mean"}, r"folds time and z, but one dimension alone"),
        ({"z": [0, 1], "channel": [0, 1], "time": 0}, "several lists"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(hyperstack: Path, select: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        opened(hyperstack, select=select)


def test_windows_are_those_of_the_whole_and_a_pickle_reads_the_same(hyperstack: Path) -> None:
    source = opened(hyperstack, select={"z": "mean", "time": 0})
    again, pixels = pickle.loads(pickle.dumps(source)), whole(source)
    for window in (Window(row=5, col=60, height=33, width=40), Window(row=-3, col=-4, height=20, width=30)):
        got, inside = again.read(window), window.clip(HEIGHT, WIDTH)
        assert (got.data[(slice(None), *inside.index_in(window))] == pixels.data[(slice(None), *inside.slices)]).all()
        assert got.valid.sum() == inside.pixels


def test_the_size_of_a_pixel_is_kept(hyperstack: Path) -> None:
    for select in ({"z": 0, "time": 0}, {"page": 3}):
        grid = opened(hyperstack, select=select).grid
        assert grid.unit == "um"
        assert grid.pixel_size == (0.5, 0.25)


def test_the_first_page_says_more_of_the_size_than_a_resolution_does(tmp_path: Path) -> None:
    ome(tmp_path / "a.tif", resolution=(10_000, 10_000), resolutionunit="CENTIMETER")
    with rasterio.open(f"GTIFF_DIR:4:{tmp_path}/a.tif") as page:
        assert page.tags()["TIFFTAG_XRESOLUTION"] == "10000"
    source = opened(tmp_path / "a.tif", select={"page": 3})
    assert source.grid.pixel_size == (0.5, 0.25)
    assert "by its OME-XML" in " ".join(source.notes)
    assert "by its resolution tags" not in " ".join(source.notes)


def plain(path: Path, data: np.ndarray, **more: Any) -> Path:
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, **more)
    return path


def test_pages_of_a_plain_tiff_are_chosen_by_number(tmp_path: Path) -> None:
    data = numbers(5)
    path = plain(tmp_path / "a.tif", data, compression="zlib", tile=(32, 32))
    assert isinstance(opened(path, select={"page": 3}), RasterSource)
    assert (image(path, select={"page": 3}) == data[3:4]).all()
    assert (image(path, select={"page": [4, 0]}) == data[[4, 0]]).all()
    assert (image(path, select={"page": "max"}) == data.max(0)).all()
    assert (image(path, axes="zyx", select={"z": 2}) == data[2]).all()
    assert (image(path, axes="cyx") == data).all()
    assert opened(path, select={"page": 3}).notes[0] == "its page is 3 of 0 to 4"
    for kind in ("raster", "slide"):
        with pytest.raises(SourceError, match=r"(page: 5.* has 5|for 5).*0 to 4"):
            opened(path, kind=kind, select={"page": 5})


def test_axes_name_the_dimensions_of_planes_anew(tmp_path: Path) -> None:
    data = numbers(3, 2)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    assert (image(tmp_path / "a.tif", axes="zcyx", select={"z": "mean"}) == np.floor(data.mean(0) + 0.5)).all()
    assert (image(tmp_path / "a.tif", select={"page": 4}) == data[2, 0]).all()
    with pytest.raises(SourceError, match=r"axes is z, y, x, but the file has 2 dimensions of planes \(3 × 2\)"):
        opened(tmp_path / "a.tif", axes="zyx")


def test_pages_of_another_size_keep_their_numbers(tmp_path: Path) -> None:
    data = numbers(3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (data[0], data[1, ::2, ::2], data[2]):
            file.write(page, photometric="minisblack")
    assert (image(tmp_path / "a.tif", select={"page": 2}) == data[2]).all()
    assert (image(tmp_path / "a.tif", select={"page": [0, 2]}) == data[[0, 2]]).all()
    assert image(tmp_path / "a.tif", select={"page": 1}).shape == (1, HEIGHT // 2, WIDTH // 2)
    with pytest.raises(SourceError, match=r"asks for page 1, but there is none\. It has 0, 2"):
        opened(tmp_path / "a.tif", select={"page": [0, 1]})


def test_overviews_and_masks_are_no_pages(tmp_path: Path) -> None:
    data = numbers(2)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in data:
            file.write(page, photometric="minisblack", metadata=None)
            file.write(page[::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
    for select in ({"page": 1}, {"page": [1]}, {"page": "max"}):
        expected = data.max(0) if "max" in str(select) else data[1]
        assert (image(tmp_path / "a.tif", select=select)[0] == expected).all()


def test_a_mask_hides_pixels_of_the_first_page_alone(tmp_path: Path) -> None:
    data = numbers(2)
    scenes.write(tmp_path / "a.tif", data[:1])
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.write_mask(data[0] > 2**15)
    scenes.write(tmp_path / "a.tif", data[1:], append_subdataset="YES")
    assert (whole(opened(tmp_path / "a.tif", select={"page": 0})).valid == (data[0] > 2**15)).all()
    second = opened(tmp_path / "a.tif", select={"page": 1})
    assert whole(second).valid.all()
    assert "the mask is that of the first page" in second.notes[0]
    with pytest.raises(SourceError, match=r"which has a mask.*\{page: 0\}.*nodata: null"):
        opened(tmp_path / "a.tif", select={"page": "max"})
    assert (image(tmp_path / "a.tif", select={"page": "max"}, nodata=None) == data.max(0)).all()


@pytest.mark.slow
def test_a_page_is_read_from_a_server_too(tmp_path: Path) -> None:
    data = numbers(3)
    plain(tmp_path / "a.tif", data, tile=(32, 32))
    with served(tmp_path, tmp_path / "log") as server:
        source = opened(f"{server.url}/a.tif", select={"page": 2})
        assert (whole(source).data == data[2]).all()
        assert source.identity()["size"] == str((tmp_path / "a.tif").stat().st_size)
        with pytest.raises(SourceError, match=r"page: 3.*has 3"):
            opened(f"{server.url}/a.tif", select={"page": 3})


def test_images_of_a_file_are_chosen_by_number_and_name(tmp_path: Path) -> None:
    data, other = numbers(2), numbers(3)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        file.write(data, metadata={"axes": "CYX", "Name": "before", "PhysicalSizeX": 1, "PhysicalSizeY": 1})
        file.write(other, metadata={"axes": "ZYX", "Name": "after", "PhysicalSizeX": 2, "PhysicalSizeY": 2})
    for name in ("after", 1):
        source = opened(tmp_path / "a.ome.tif", select={"image": name, "z": 1})
        assert (whole(source).data == other[1]).all()
        assert source.grid.pixel_size == (2, 2)
    source = opened(tmp_path / "a.ome.tif", select={"channel": 1})
    assert (whole(source).data == data[1]).all()
    assert any("2 images (before, after), and only the first is read" in note for note in source.notes)


def test_a_page_of_a_scene_lies_where_the_scene_does(tmp_path: Path) -> None:
    data = numbers(3)
    tags = [(33550, "d", 3, (10.0, 10.0, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 4.6e6, 0), True)]
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
    geo = [*tags, (34735, "H", len(keys), keys, True)]
    plain(tmp_path / "a.tif", data, extratags=geo)
    for select in ({"page": 1}, {"page": [0, 1]}):
        grid = opened(tmp_path / "a.tif", select=select).grid
        assert (grid.code, grid.transform) == ("EPSG:32633", (10.0, 0.0, 5e5, 0.0, -10.0, 4.6e6))


def test_nodata_of_the_file_is_passed_over_by_what_planes_become(tmp_path: Path) -> None:
    data = RNG.integers(0, 3, (4, HEIGHT, WIDTH)).astype("int16") - 1
    plain(tmp_path / "a.tif", data, extratags=[(42113, "s", 0, "-1", True)])
    valid = np.ma.array(data, mask=data == -1)
    pixels = whole(opened(tmp_path / "a.tif", select={"page": "mean"}))
    assert (pixels.valid == ~valid.mask.all(0)).all()
    assert (pixels.data[0] == np.floor(valid.mean(0) + 0.5).filled(0)).all()
    assert set(np.unique(pixels.causes)) == {0, CAUSES.index("nodata")}
    every = whole(opened(tmp_path / "a.tif", select={"page": "max"}, nodata_rule="any"))
    assert (every.valid == ~valid.mask.any(0)).all()
    assert whole(opened(tmp_path / "a.tif", select={"page": "max"}, nodata=None)).valid.all()
    assert (whole(opened(tmp_path / "a.tif", select={"page": [1, 2]}, nodata=1)).valid == (data[1:3] != 1).any(0)).all()


def test_a_plane_without_numbers_poisons_no_mean(tmp_path: Path) -> None:
    data = RNG.normal(0, 1, (3, HEIGHT, WIDTH)).astype("float32")
    data[0, :9], data[:, 20:30] = np.nan, np.inf
    plain(tmp_path / "a.tif", data)
    pixels = whole(opened(tmp_path / "a.tif", select={"page": "mean"}, nodata=None))
    assert (pixels.data[0, :9] == data[1:, :9].astype("float64").mean(0).astype("float32")).all()
    assert not pixels.valid[20:30].any()
    assert pixels.valid[:20].all()
    assert np.isfinite(pixels.data).all()


def test_tiles_that_were_never_written_are_nodata(tmp_path: Path) -> None:
    tile = np.full((32, 32), 7, "uint8")
    plain_tiles = (None if k in (1, 7) else tile for k in range(12))
    tifffile.imwrite(
        tmp_path / "a.tif", plain_tiles, shape=(2, 64, 96), dtype="uint8", tile=(32, 32), photometric="minisblack"
    )
    pixels = whole(opened(tmp_path / "a.tif", select={"page": [0, 1]}, nodata_rule="any"))
    assert not pixels.valid[:32, 32:64].any()
    assert pixels.valid.sum() == 64 * 96 - 32 * 32
    assert whole(opened(tmp_path / "a.tif", select={"page": "max"})).valid.sum() == 64 * 96 - 32 * 32


def rgb(path: Path) -> np.ndarray:
    """(bands, rows, cols) that Pillow shows."""
    return np.moveaxis(np.asarray(Image.open(path).convert("RGB")), -1, 0)


@pytest.mark.parametrize("kind", ["raster", "slide"])
def test_palette_and_min_is_white_are_read_as_pictures_show_them(tmp_path: Path, kind: str) -> None:
    picture = Image.fromarray(np.moveaxis(numbers(3, dtype="uint8"), 0, -1)).quantize(16)
    picture.save(tmp_path / "palette.tif", save_all=True, append_images=[picture.rotate(180)], compression="tiff_lzw")
    expected = rgb(tmp_path / "palette.tif")
    index = np.asarray(picture)
    for select, turned in (({"page": 0}, 1), ({"page": 1}, -1)):
        got = image(tmp_path / "palette.tif", kind=kind, select=select)
        assert (got == expected[:, ::turned, ::turned]).all()
        stored = image(tmp_path / "palette.tif", kind=kind, select=select, bands=[1])
        assert (stored[0] == index[::turned, ::turned]).all()
    both = image(tmp_path / "palette.tif", select={"page": [1, 0]})
    assert (both == np.concatenate([expected[:, ::-1, ::-1], expected])).all()
    with pytest.raises(SourceError, match="those of a palette and no brightness"):
        opened(tmp_path / "palette.tif", select={"page": "max"})
    dark = numbers(2, dtype="uint8")
    tifffile.imwrite(tmp_path / "white.tif", dark, photometric="miniswhite")
    assert (image(tmp_path / "white.tif", kind=kind, select={"page": 1}) == 255 - dark[1]).all()
    assert (image(tmp_path / "white.tif", kind=kind, select={"page": "max"}) == 255 - dark.min(0)).all()
    assert (image(tmp_path / "white.tif", kind=kind, select={"page": 1}, bands=[1]) == dark[1]).all()
    Image.open(tmp_path / "white.tif").convert("L")  # Pillow inverts as well
    assert (np.asarray(Image.open(tmp_path / "white.tif").convert("L")) == 255 - dark[0]).all()


@pytest.mark.parametrize("kind", ["raster", "slide"])
def test_jpegs_of_ycbcr_are_read_as_red_green_and_blue(tmp_path: Path, kind: str) -> None:
    smooth = np.asarray(Image.fromarray(numbers(3, dtype="uint8")[:, :9, :9].transpose(1, 2, 0)).resize((96, 64)))
    pages = np.stack([smooth, smooth[::-1]])
    how: dict[str, Any] = {"compression": "jpeg", "compressionargs": {"subsampling": "444"}, "tile": (32, 32)}
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb", metadata=None, **how)
    shown = tifffile.imread(tmp_path / "a.tif", key=1).transpose(2, 0, 1)
    for select in ({"page": 1}, {"page": [1]}):
        difference = np.abs(image(tmp_path / "a.tif", kind=kind, select=select).astype(int) - shown)
        # GDAL's decoder interpolates colours, which are stored at half the resolution; Pillow's and tifffile's do not
        assert difference.mean() < (
            2 if isinstance(opened(tmp_path / "a.tif", kind=kind, select=select), RasterSource) else 1e-9
        )
    assert np.abs(shown.astype(int) - pages[1].transpose(2, 0, 1)).mean() < 6


def test_alpha_of_a_page_masks_it(tmp_path: Path) -> None:
    pages = np.moveaxis(numbers(2, 4, dtype="uint8"), 1, -1).copy()
    pages[..., 3] = 255
    pages[1, :20, :, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    both = whole(opened(tmp_path / "a.tif", select={"page": [0, 1]}, nodata_rule="any"))
    assert (both.data == np.concatenate([pages[0, ..., :3], pages[1, ..., :3]], -1).transpose(2, 0, 1)).all()
    assert not both.valid[:20].any()
    assert both.valid[20:].all()


def test_a_pyramid_of_planes_is_read_at_a_level_and_at_any_size(tmp_path: Path) -> None:
    data = RNG.integers(0, 4000, (3, 2, 256, 320)).astype("uint16")
    small = np.floor(data.reshape(3, 2, 128, 2, 160, 2).mean((3, 5)) + 0.5).astype("uint16")
    metadata = {"axes": "ZCYX", "Channel": {"Name": NAMES}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        file.write(data, subifds=1, tile=(64, 64), metadata=metadata)
        file.write(small, subfiletype=1, tile=(64, 64))
    keys: dict[str, Any] = {"kind": "slide", "select": {"channel": "GFP", "z": "max"}}
    assert (image(tmp_path / "a.ome.tif", level=1, **keys) == small[:, 1].max(0)).all()
    assert (image(tmp_path / "a.ome.tif", mpp=1, **keys) == small[:, 1].max(0)).all()
    assert (image(tmp_path / "a.ome.tif", **keys) == data[:, 1].max(0)).all()
    notes = opened(tmp_path / "a.ome.tif", kind="slide").notes
    assert any("it has z (3), and only the first is read; source.select" in note for note in notes)


def test_a_slide_says_which_planes_it_leaves_out(hyperstack: Path) -> None:
    notes = " ".join(opened(hyperstack, kind="slide").notes)
    assert "time (2)" in notes
    assert "z (3)" in notes
    assert "only the first is read; source.select, such as {time: 0, z: 0" in notes


def test_what_is_chosen_is_part_of_the_identity(hyperstack: Path) -> None:
    selects = ({"z": 0, "time": 0}, {"z": 1, "time": 0}, {"z": "max", "time": 0}, {"z": "mean", "time": 0})
    identities = [opened(hyperstack, select=select).identity() for select in selects]
    assert len({str(identity) for identity in identities}) == len(selects)
    assert opened(hyperstack, select=selects[2]).identity() == identities[2]
    name = opened(hyperstack, select={"channel": [0, 1], "z": 0, "time": 0}).identity()
    assert name["as"] == identities[0]["as"]


def test_a_fold_is_priced(hyperstack: Path) -> None:
    one, all_of_them = (opened(hyperstack, select={"z": z, "time": 0}) for z in (0, "max"))
    assert all_of_them.working_bytes > one.working_bytes > 0
    assert all_of_them.open_files > one.open_files


def test_a_file_that_is_cut_short_fails_the_block(tmp_path: Path) -> None:
    path = beyond_4_gib(tmp_path / "a.tif")
    source = opened(path, select={"z": 2, "time": 1})
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ReadError, match=r"cannot be (decoded|read)"):
        whole(source)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("GTIFF_DIR:1:a.tif", "names a part of a file already"),
        ("https://127.0.0.1:1/a.tif", "in files on a disk"),
        ("absent.tif", "does not exist"),
        ("text.tif", "which is no TIFF"),
    ],
)
def test_files_of_which_no_plane_can_be_chosen_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.tif").write_text("no pixels")
    with pytest.raises(SourceError, match=words):
        opened(path, select={"channel": 0})


def test_planes_without_pages_are_pages_too(tmp_path: Path) -> None:
    path = beyond_4_gib(tmp_path / "a.tif")
    for page in (0, 7):
        source = opened(path, select={"page": page})
        assert (whole(source).data[0] == TZC.reshape(-1, HEIGHT, WIDTH)[page]).all()
        assert source.notes[0] == f"its page is {page} of 0 to 11"


def test_a_library_that_is_missing_is_asked_for_where_it_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str, *args: Any) -> Any:
        if name == "imagecodecs":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return plain_import(name, *args)

    plain_import = importlib.import_module
    plain(tmp_path / "lzw.tif", numbers(2), compression="lzw")
    plain(tmp_path / "flat.tif", numbers(2))
    monkeypatch.setattr("importlib.import_module", absent)
    assert opened(tmp_path / "flat.tif", select={"page": "max"}).bands == 1
    with pytest.raises(ExtraError, match=r"wholecloth\[slides\]"):
        opened(tmp_path / "lzw.tif", select={"page": "max"})


def test_scale_and_offset_are_those_of_one_page(tmp_path: Path) -> None:
    plain(tmp_path / "a.tif", numbers(2))
    assert opened(tmp_path / "a.tif", select={"page": 1}, scale_tags=True).dtype == "float32"
    with pytest.raises(SourceError, match="scale_tags is true"):
        opened(tmp_path / "a.tif", select={"page": "max"}, scale_tags=True)


def test_select_of_a_png_is_refused(tmp_path: Path) -> None:
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    with pytest.raises(SourceError, match="of the form PNG"):
        opened(tmp_path / "a.png", select={"page": 0})


def test_planes_of_a_raster_are_no_slide(hyperstack: Path) -> None:
    assert isinstance(opened(hyperstack, select={"z": 0, "time": 0}), SlideSource)
    assert opened(hyperstack, select={"z": 0, "time": 0}).grid.height == HEIGHT
