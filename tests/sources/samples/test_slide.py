"""The generated slide: an SVS for whoever reads it, and labels that lie on its tissue."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import openslide
import pytest
import rasterio
import tifffile

from pipeline.config import SourceConfig
from pipeline.errors import ExtraError
from pipeline.geometry.window import Window
from pipeline.sources import open_source, samples
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.samples import glass, slide, svs
from pipeline.sources.samples.histology.glands import glands_near
from pipeline.sources.samples.histology.layout import SlideLayout
from pipeline.sources.samples.histology.regions import BACKGROUND, GLAND, STROMA, TUMOUR
from pipeline.sources.samples.histology.stains import GLASS, stain_window

URI = "sample://slide?seed=104&size=1501"
SIDE, LEVEL_SIDE = 1501, 375


@pytest.fixture(scope="module")
def svs_file() -> Path:
    return samples.sample_raster(URI)


def test_openslide_and_tifffile_read_one_slide_with_its_levels_size_and_photographs(svs_file: Path) -> None:
    with openslide.OpenSlide(svs_file) as image, tifffile.TiffFile(svs_file) as file:
        assert image.properties["openslide.vendor"] == "aperio"
        assert image.level_dimensions == ((SIDE, SIDE), (LEVEL_SIDE, LEVEL_SIDE))
        assert image.level_downsamples[1] == pytest.approx(SIDE / LEVEL_SIDE)
        assert not image.level_downsamples[1].is_integer()
        assert (image.properties["openslide.mpp-x"], image.properties["aperio.AppMag"]) == ("0.499", "20")
        assert {name: picture.size for name, picture in image.associated_images.items()} == {
            "label": (400, 400),
            "macro": (1200, 400),
            "thumbnail": (LEVEL_SIDE, LEVEL_SIDE),
        }
        assert [series.name for series in file.series] == ["Baseline", "Thumbnail", "Label", "Macro"]
        assert file.pages.first.tile == (svs.TILE_SIDE, svs.TILE_SIDE)
        for level, page in ((0, 0), (1, 2)):
            colours = np.asarray(image.read_region((0, 0), level, image.level_dimensions[level]))[..., :3]
            assert (colours == file.pages[page].asarray()).all()


def test_a_level_is_the_mean_of_whole_squares_of_the_one_before(svs_file: Path) -> None:
    first, second = (tifffile.imread(svs_file, key=page) for page in (0, 2))
    squares = first[: 4 * LEVEL_SIDE, : 4 * LEVEL_SIDE].reshape(LEVEL_SIDE, 4, LEVEL_SIDE, 4, 3).mean((1, 3))
    assert np.abs(squares - second).mean() < 4, "JPEG loses some of both"
    square = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    assert svs.reduced(square).tolist() == np.floor(square[:4, :4].mean((0, 1)) + 0.5)[None, None].tolist()


def test_pieces_lie_where_they_were_made(svs_file: Path) -> None:
    """All but the loss of JPEG, and that of colours at half the resolution."""
    window = Window(row=svs.STREAM_SIDE, col=0, height=3 * svs.TILE_SIDE, width=svs.STREAM_SIDE)
    picture, label = slide.render_slide(window, SlideLayout.of(104, SIDE))
    stored = tifffile.imread(svs_file, key=0)[window.row :, : window.width]
    assert len(np.unique(label)) > 1
    assert np.abs(stored.astype(float) - picture[: len(stored)]).mean() < 4


def test_the_label_shows_a_name_that_stands_in_the_header_too(svs_file: Path) -> None:
    with openslide.OpenSlide(svs_file) as image:
        assert image.properties["aperio.Title"] == glass.INVENTED_NAME
        label = np.asarray(image.associated_images["label"])[..., :3]
    assert (label == glass.label_image(104)).all()


def test_labels_have_the_grid_of_two_micrometres_and_lie_on_their_tissue(svs_file: Path) -> None:
    source = open_source(SourceConfig(kind="slide", path=URI, mpp=2))
    with rasterio.open(samples.labels(URI)) as file:
        label, grid = file.read(1), grid_of(file)
    assert (grid.height, grid.width, grid.unit) == (source.grid.height, source.grid.width, "um")
    assert grid.transform == pytest.approx(source.grid.transform)
    picture = source.read(Window(row=0, col=0, height=grid.height, width=grid.width)).data.astype(float)
    red, green, blue = (np.array([band[label == code].mean() for code in range(5)]) for band in picture)
    assert green[BACKGROUND] > 220 > 180 > max(green[STROMA], green[TUMOUR])
    assert (red - blue)[STROMA] > (red - blue)[TUMOUR] + 15, "haematoxylin is blue"
    ink = picture[:, label == slide.UNLABELLED]
    assert np.median(ink.max(0) - ink.min(0)) > 40


@pytest.mark.parametrize("size", [64, 700, 1997])
def test_labels_are_as_many_as_the_reader_makes_of_any_size(size: int, tmp_path: Path) -> None:
    """Sizes alone, on bare glass: levels are placed by them."""
    image, labels = tmp_path / "a.svs", tmp_path / "a.tif"
    pieces = [
        [_bare(rows, cols) for cols in slide.cut(size, svs.STREAM_SIDE)] for rows in slide.cut(size, svs.STREAM_SIDE)
    ]
    sides = svs.SideImages(label=glass.label_image(0), macro=lambda thumbnail: thumbnail)
    svs.write_svs(image, size, pieces, sides, {"MPP": "0.499"})
    grid = open_source(SourceConfig(kind="slide", path=str(image), mpp=2)).grid
    assert (grid.height, grid.width) == slide.labels_shape(size)
    assert [file.name for file in tmp_path.iterdir()] == [image.name], "the level that gathers is gone"
    assert not labels.exists()


def _bare(rows: slide.Span, cols: slide.Span) -> svs.EncodedPiece:
    return svs.encoded_piece(np.full((svs.STREAM_SIDE, svs.STREAM_SIDE, 3), GLASS, np.uint8), rows, cols)


def test_windows_of_the_tissue_fit_together_to_the_bit() -> None:
    layout = SlideLayout.of(3, 3000)
    row, col = int(layout.tumour.row) - 200, int(layout.tumour.col) - 400
    window = Window(row=row, col=col, height=330, width=420)
    whole = stain_window(window, layout)
    assert {STROMA, TUMOUR} <= set(np.unique(whole.label))
    inner = Window(row=row + 91, col=col + 133, height=200, width=150)
    for part in (inner, Window(row=row, col=col, height=9, width=420)):
        piece, at = stain_window(part, layout), part.index_in(window)
        assert (piece.haematoxylin == whole.haematoxylin[at]).all()
        assert (piece.eosin == whole.eosin[at]).all()
        assert (piece.label == whole.label[at]).all()


def test_a_gland_has_a_pale_lumen_within_a_ring_of_nuclei() -> None:
    layout = SlideLayout.of(3, 6000)
    glands = glands_near(Window(row=0, col=0, height=6000, width=6000), layout)
    gland = glands[len(glands) // 2]
    near = Window(row=int(gland.row) - 130, col=int(gland.col) - 130, height=260, width=260)
    tissue = stain_window(near, layout)
    share = gland.share(np.arange(near.row, near.row + 260)[:, None], np.arange(near.col, near.col + 260)[None, :])
    inner, ring = (tissue.haematoxylin[(low < share) & (share < high)].mean() for low, high in ((0, 0.25), (0.75, 0.9)))
    assert ring > 4 * inner
    assert (tissue.label[share < 0.7] == GLAND).all()


def test_no_window_that_is_passed_over_has_tissue() -> None:
    layout = SlideLayout.of(5, 2000)
    for row in range(0, 2000, 250):
        for col in range(0, 2000, 250):
            window = Window(row=row, col=col, height=250, width=250)
            if not layout.may_have_tissue(window):
                assert (stain_window(window, layout).label == BACKGROUND).all()


def test_the_same_seed_gives_the_same_bytes_however_many_work_and_another_seed_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, seed, workers in (("first", 1, 1), ("again", 1, 3), ("other", 2, 3)):
        monkeypatch.setattr(slide, "cores", lambda workers=workers: workers)
        raster, labels = tmp_path / f"{name}.svs", tmp_path / f"{name}.tif"
        slide.make(raster, labels, seed, 1000)
        made.append((raster.read_bytes(), labels.read_bytes()))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
    assert made[0][1] != made[2][1]


def test_rows_of_pieces_are_made_as_the_file_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the slide nor its labels are held whole."""
    events: list[str] = []
    blank = _bare(slide.Span(0, svs.STREAM_SIDE), slide.Span(0, svs.STREAM_SIDE))

    def piece(layout: SlideLayout, rows: slide.Span, cols: slide.Span) -> tuple[svs.EncodedPiece, np.ndarray]:
        events.append(f"made {rows.start}")
        return blank, np.zeros((1, 1), np.uint8)

    def rows(layout: SlideLayout, pool: object, labels: object) -> object:
        for row in made(layout, pool, labels):
            events.append("written")
            yield row

    made = slide._rows
    monkeypatch.setattr(slide, "_piece", piece)
    monkeypatch.setattr(slide, "_rows", rows)
    slide.make(tmp_path / "a.svs", tmp_path / "a.tif", 1, 1920)
    assert events == ["made 0", "made 0", "written", "made 960", "made 960", "written"]


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ExtraError, match=r"sample://slide needs imagecodecs.*wholecloth\[slides\]"):
        slide.make(tmp_path / "a.svs", tmp_path / "a.tif", 1, 64)
    assert list(tmp_path.iterdir()) == []


def test_it_is_read_by_kind_raster_too(svs_file: Path) -> None:
    source = open_source(SourceConfig(path=URI))
    assert (source.grid.height, source.grid.unit) == (SIDE, "um")
