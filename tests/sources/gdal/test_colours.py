from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.enums import ColorInterp

from pipeline.errors import SourceError
from pipeline.sources.gdal import tiff_tags
from tests import scenes
from tests.sources.served import served
from tests.sources.validity.test_validity import everything, notes

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)


def pillow(path: Path, mode: str) -> np.ndarray:
    """(bands, rows, cols) as Pillow shows a picture."""
    shown = np.asarray(Image.open(path).convert(mode))
    return shown[None] if shown.ndim == 2 else np.moveaxis(shown, -1, 0)


@pytest.mark.parametrize("ending", ["png", "tif", "gif"])
def test_a_palette_is_read_as_it_is_shown_and_by_name_as_its_numbers(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(RGB).quantize(16).save(path)
    assert (everything(path).data == pillow(path, "RGB")).all()
    assert (everything(path, bands=[1]).data[0] == np.asarray(Image.open(path))).all()
    assert "palette" in notes(path)
    assert not notes(path, bands=[1])


def test_transparent_entries_of_a_palette_are_invalid(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    numbers = RNG.integers(0, 4, (1, 9, 9), dtype=np.uint8)
    scenes.write(path, numbers)
    with rasterio.open(path.with_suffix(".png"), "w", driver="PNG", count=1, height=9, width=9, dtype="uint8") as out:
        out.write_colormap(1, {0: (9, 9, 9, 255), 1: (1, 2, 3, 255), 2: (4, 5, 6, 0), 3: (7, 8, 9, 0)})
        out.write(numbers)
    got = everything(path.with_suffix(".png"))
    assert (got.valid == (numbers[0] < 2)).all()
    assert everything(path.with_suffix(".png"), nodata=None).valid.all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_inverted_grey_is_read_as_it_is_shown(tmp_path: Path, dtype: str) -> None:
    data = np.arange(600, dtype=dtype).reshape(20, 30)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="miniswhite")
    assert (everything(tmp_path / "a.tif").data[0] == np.iinfo(dtype).max - data).all()
    assert (everything(tmp_path / "a.tif", bands=[1]).data[0] == data).all()
    assert "MinIsWhite" in notes(tmp_path / "a.tif")


def test_one_bit_stays_one_bit(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (20, 30)).astype(bool)
    for ending in ("tif", "png"):
        Image.fromarray(bits).save(tmp_path / f"a.{ending}")
        assert (everything(tmp_path / f"a.{ending}").data[0] == bits).all()


def test_a_grey_palette_is_one_band(tmp_path: Path) -> None:
    picture = Image.fromarray(RNG.integers(0, 4, (20, 30), dtype=np.uint8), mode="P")
    picture.putpalette([value for grey in (40, 0, 200, 90) for value in (grey,) * 3])
    picture.save(tmp_path / "a.png")
    assert (everything(tmp_path / "a.png").data == pillow(tmp_path / "a.png", "L")).all()


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "tif"), ("CMYK", "jpg"), ("YCbCr", "tif")])
def test_inks_are_read_as_they_are_shown(tmp_path: Path, mode: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(RGB).convert(mode).save(path)
    assert np.abs(everything(path).data.astype(int) - pillow(path, "RGB")).max() <= 1
    assert mode in notes(path)


def test_inks_that_gdal_hides_cannot_be_named(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.tif")
    with pytest.raises(SourceError, match="CMYK"):
        everything(tmp_path / "a.tif", bands=[1, 2, 3, 4])


@pytest.mark.parametrize(
    ("kinds", "word"),
    [
        ((ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black), "CMYK"),
        ((ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr), "YCbCr"),
    ],
)
def test_bands_of_ink_are_refused_by_their_name_unless_they_are_named(
    tmp_path: Path, kinds: tuple[ColorInterp, ...], word: str
) -> None:
    words = {ColorInterp.Y: "YCbCr_Y", ColorInterp.Cb: "YCbCr_Cb", ColorInterp.Cr: "YCbCr_Cr"}
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" '
        f'band="{k}"><ColorInterp>{words.get(kind, kind.name.title())}</ColorInterp></VRTRasterBand>'
        for k, kind in enumerate(kinds, 1)
    )
    (tmp_path / "a.vrt").write_text(f'<VRTDataset rasterXSize="4" rasterYSize="4">{bands}</VRTDataset>')
    with pytest.raises(SourceError, match=word):
        everything(tmp_path / "a.vrt")
    assert everything(tmp_path / "a.vrt", bands=[1, 2, 3]).data.shape == (3, 4, 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_that_are_multiplied_by_their_alpha_are_divided_by_it(tmp_path: Path, dtype: str) -> None:
    most = np.iinfo(dtype).max
    colors, alpha = (RGB / 255 * most).astype(dtype), RNG.choice([0, most // 2, most], (20, 30)).astype(dtype)
    stored = np.rint(colors * (alpha[..., None] / most)).astype(dtype)
    said: dict[str, Any] = {"photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([stored, alpha]), extrasamples=["assocalpha"], **said)
    tifffile.imwrite(tmp_path / "b.tif", np.dstack([stored, alpha]), extrasamples=["unassalpha"], **said)
    got = everything(tmp_path / "a.tif")
    assert (got.valid == (alpha > 0)).all()
    assert len(got.data) == 3
    assert np.abs(got.data[:, alpha > 0] - colors[alpha > 0].T.astype(float)).max() <= 1
    assert "associated alpha" in notes(tmp_path / "a.tif")
    assert (everything(tmp_path / "b.tif").data == np.moveaxis(stored, -1, 0)).all()
    assert (everything(tmp_path / "a.tif", bands=[1, 2, 3]).data == np.moveaxis(stored, -1, 0)).all()


ALPHA = np.dstack([RGB // 2, np.full((20, 30), 128, np.uint8)])
"""Colours times an alpha of one half."""


def rgba(path: Path, kind: str = "assocalpha", **said: Any) -> Path:
    tifffile.imwrite(path, ALPHA, photometric="rgb", extrasamples=[kind], **said)
    return path


def zipped(folder: Path) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(rgba(folder / "a.tif"), "a.tif")
    return f"/vsizip/{folder}/a.zip/a.tif"


def second_page(folder: Path) -> str:
    with tifffile.TiffWriter(folder / "a.tif") as out:
        out.write(RGB, photometric="rgb")
        out.write(ALPHA, photometric="rgb", extrasamples=["assocalpha"])
    return f"GTIFF_DIR:2:{folder}/a.tif"


def mosaic(folder: Path, *kinds: str) -> Path:
    parts = [rgba(folder / f"{k}.tif", kind) for k, kind in enumerate(kinds)]
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{color}</ColorInterp>'
        + "".join(
            f"<SimpleSource><SourceFilename>{part}</SourceFilename><SourceBand>{band}</SourceBand><SrcRect "
            f'xOff="0" yOff="0" xSize="30" ySize="20"/>'
            f'<DstRect xOff="{30 * k}" yOff="0" xSize="30" ySize="20"/>'
            "</SimpleSource>"
            for k, part in enumerate(parts)
        )
        + "</VRTRasterBand>"
        for band, color in enumerate(("Red", "Green", "Blue", "Alpha"), 1)
    )
    (folder / "a.vrt").write_text(f'<VRTDataset rasterXSize="{30 * len(parts)}" rasterYSize="20">{bands}</VRTDataset>')
    return folder / "a.vrt"


FORMS = {
    "in an archive": zipped,
    "on a second page": second_page,
    "BigTIFF": lambda folder: rgba(folder / "a.tif", bigtiff=True),
    "of the other byte order": lambda folder: rgba(folder / "a.tif", byteorder=">"),
    "in a VRT": lambda folder: mosaic(folder, "assocalpha", "assocalpha"),
}


@pytest.mark.parametrize("form", FORMS)
def test_associated_alpha_is_noticed_wherever_a_tiff_lies(tmp_path: Path, form: str) -> None:
    path = FORMS[form](tmp_path)
    shown = everything(path).data.astype(int)
    assert "associated alpha" in notes(path)
    assert np.abs(shown[:, :, :30] - np.moveaxis(ALPHA[..., :3] / 128 * 255, -1, 0)).max() <= 1


@pytest.mark.slow
def test_associated_alpha_is_noticed_on_a_server(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, kind in (("a&b.tif", "assocalpha"), ("c.tif", "unassalpha")):
        rgba(tmp_path / "a" / name, kind)
    with served(tmp_path / "a", tmp_path / "log") as server:
        there = {name: everything(f"{server.url}/{name}").data for name in ("a&b.tif", "c.tif")}
    assert (there["c.tif"] == np.moveaxis(ALPHA[..., :3], -1, 0)).all()
    assert (there["a&b.tif"] == everything(tmp_path / "a" / "a&b.tif").data).all()
    assert (there["a&b.tif"] != there["c.tif"]).any()


def test_what_cannot_be_seen_of_an_alpha_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str, offset: int, count: int) -> bytes:
        raise PermissionError(name)

    monkeypatch.setattr(tiff_tags, "_bytes", refused)
    assert "whether its colours are multiplied by its alpha (associated alpha) cannot be seen" in notes(
        rgba(tmp_path / "a.tif")
    )
    assert "associated" not in notes(tmp_path / "a.tif", bands=[1, 2, 3])


def test_a_mosaic_of_both_kinds_of_alpha_is_refused_and_one_of_plain_alpha_is_not(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"associated alpha\) and others whose are not.*source\.bands"):
        everything(mosaic(tmp_path, "assocalpha", "unassalpha"))
    assert everything(mosaic(tmp_path, "assocalpha", "unassalpha"), bands=[1, 2, 3]).data.shape == (3, 20, 60)
    assert (everything(mosaic(tmp_path, "unassalpha")).data == np.moveaxis(ALPHA[..., :3], -1, 0)).all()


def test_frames_of_a_gif_are_no_bands_unless_they_are_named(tmp_path: Path) -> None:
    frames = [Image.fromarray(RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)).quantize(16) for _ in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(SourceError, match="palette, as frames of a GIF"):
        everything(tmp_path / "a.gif")
    assert len(everything(tmp_path / "a.gif", bands=[1]).data) == 1
