"""Tissue of slides whose tissue is known."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from pipeline.config import SourceConfig, TissueConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources import open_source
from pipeline.sources.only import open_areas
from pipeline.sources.tissue import rule
from pipeline.sources.wrappers.wrapper import SourceWrapper
from tests.sources.only import slides

SETTINGS = {"resolution": "4 px", "min_area": "400 px"}
ALL = Window(row=0, col=0, height=slides.HEIGHT, width=slides.WIDTH)


def tissue(path: Path, window: Window = ALL, **settings: Any) -> np.ndarray:
    config = SourceConfig(path=str(path), only="tissue", tissue=TissueConfig(**{**SETTINGS, **settings}))
    area = open_areas(config, open_source(config)).area
    assert area is not None
    return area.read(window)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("pens", [(), ("green",), ("blue",), ("red",), ("black",), tuple(slides.PENS)])
def test_tissue_is_told_from_glass_and_from_pens(tmp_path: Path, pens: tuple[str, ...]) -> None:
    truth = slides.slide(tmp_path / "slide.tif", pens=pens)
    estimate = tissue(tmp_path / "slide.tif")
    assert iou(estimate, truth) > 0.95
    strokes = ~truth & (np.arange(slides.HEIGHT)[:, None] < 40)  # no tissue lies so high
    assert not (estimate & strokes).any()


def test_pens_that_are_not_left_out_are_tissue_but_for_a_black_one(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif")
    estimate = tissue(tmp_path / "slide.tif", pens=False)
    assert iou(estimate, truth) < 0.95
    assert (estimate & ~tissue(tmp_path / "slide.tif")).sum() > 4000


@pytest.mark.parametrize("pen", ["green", "blue", "red"])
def test_edges_of_strokes_that_are_half_glass_are_left_out(tmp_path: Path, pen: str) -> None:
    slides.slide(tmp_path / "slide.tif", pens=())
    with rasterio.open(tmp_path / "slide.tif", "r+") as out:
        image = out.read()
        for rows, ink in ((slice(8, 32), 0.5), (slice(16, 24), 1.0)):
            stroke = ink * np.array(slides.PENS[pen]) + (1 - ink) * np.array(slides.GLASS)
            image[:, rows, 40:300] = stroke[:, None, None]
        out.write(image)
    assert not tissue(tmp_path / "slide.tif")[:40].any()


def test_a_threshold_that_is_given_is_taken_and_small_pieces_are_left_out(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif", pens=())
    assert iou(tissue(tmp_path / "slide.tif", saturation=0.1), truth) > 0.95
    larger = tissue(tmp_path / "slide.tif", min_area="20000 px")
    assert not larger[:, 350:].any()
    assert larger[:, :300].sum() > truth[:, :300].sum()  # the hole is filled as well


def test_holes_are_filled_where_they_are_small(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif", pens=())
    row, col = round(0.5 * slides.HEIGHT), round(0.3 * slides.STAINED)
    assert not truth[row, col]
    assert not tissue(tmp_path / "slide.tif", min_area="400 px")[row, col]
    assert tissue(tmp_path / "slide.tif", min_area="8000 px")[row, col]


def test_a_raster_without_glass_is_tissue_as_a_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = np.where(rng.random((64, 64)) < 0.5, 0, 1).repeat(4, 0).repeat(4, 1)[..., None]
    image = np.where(colours, slides.EOSIN, slides.NUCLEUS)
    slides.write(tmp_path / "slide.tif", np.moveaxis(image, -1, 0).astype("uint8"))
    assert tissue(tmp_path / "slide.tif", Window(row=0, col=0, height=256, width=256)).all()


def test_sixteen_bits_and_unseen_black_are_no_other_tissue(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif")
    with rasterio.open(tmp_path / "slide.tif") as eight:
        data = eight.read().astype("uint16") * 16
    data[:, :, :40] = np.random.default_rng(0).integers(0, 60, (3, slides.HEIGHT, 40))
    slides.write(tmp_path / "sixteen.tif", data)
    truth[:, :40] = False
    assert iou(tissue(tmp_path / "sixteen.tif"), truth) > 0.95


@pytest.mark.parametrize("step", [3, 8, 16])
def test_the_estimate_is_the_same_however_the_file_is_cut(tmp_path: Path, step: int) -> None:
    """Blocks and strips are read in other windows."""
    slides.slide(tmp_path / "blocks.tif", pens=())
    slides.slide(tmp_path / "strips.tif", pens=(), tiled=False, blockysize=7, blockxsize=slides.WIDTH)
    first, second = (open_tissue(tmp_path / f"{name}.tif", resolution=f"{step} px") for name in ("blocks", "strips"))
    assert first == second


def open_tissue(path: Path, **settings: Any) -> Any:
    config = SourceConfig(path=str(path), only="tissue", tissue=TissueConfig(**{**SETTINGS, **settings}))
    return open_areas(config, open_source(config)).tissue


@dataclass(frozen=True, kw_only=True)
class OtherKind(SourceWrapper):
    """A source of which nothing is known but the protocol."""

    @property
    def rgb(self) -> tuple[int, ...]:
        return ()

    def read(self, window: Window) -> Pixels:
        return self.source.read(window)


def test_any_kind_of_source_will_do_and_cells_are_means_of_valid_pixels(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif", pens=(), nodata=None)
    config = SourceConfig(path=str(tmp_path / "slide.tif"), only="tissue", tissue=TissueConfig(**SETTINGS))
    area = open_areas(config, OtherKind(source=open_source(config))).area
    assert area is not None
    assert iou(area.read(ALL), truth) > 0.95
    assert (pickle.loads(pickle.dumps(area)).read(ALL) == area.read(ALL)).all()


def test_an_overview_of_the_file_is_used_and_told(tmp_path: Path) -> None:
    truth = slides.slide(tmp_path / "slide.tif")
    assert open_tissue(tmp_path / "slide.tif")["origin"] == "means of 4 × 4 px"
    with rasterio.open(tmp_path / "slide.tif", "r+") as out:
        out.build_overviews([2, 4, 8], Resampling.average)
    assert open_tissue(tmp_path / "slide.tif")["origin"] == "the file's overview 1:4"
    assert iou(tissue(tmp_path / "slide.tif"), truth) > 0.95
    assert open_tissue(tmp_path / "slide.tif", resolution="1 px")["origin"] == "the file's overview 1:2"
    reduced = open_tissue(tmp_path / "slide.tif", resolution="40 px", min_area="10 px")
    assert reduced["origin"] == "the file's overview 1:8, means of 5 × 5 of its px"


def test_lengths_in_micrometres_are_those_of_the_pixels(tmp_path: Path) -> None:
    slides.slide(tmp_path / "slide.tif", um=2.0)
    assert open_tissue(tmp_path / "slide.tif", resolution="8 um", min_area="1600 um2") == {
        **open_tissue(tmp_path / "slide.tif", resolution="4 px", min_area="400 px")
    }
    assert open_tissue(tmp_path / "slide.tif", resolution="auto")["origin"] == "means of 4 × 4 px"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"resolution": "8 um"}, r"resolution is 8 um, but the size of the raster's pixels is not known in µm"),
        ({"min_area": "8 um2"}, r"min_area is 8 um2, but the size"),
        ({"saturation": 0.9}, r"there is none: no piece .*more saturated than 0\.900, which is source\.tissue\.sat"),
        ({"min_area": "190000 px"}, r"there is none: no piece of source\.tissue\.min_area \(190000 px\)"),
    ],
)
def test_what_cannot_be_is_refused_in_one_paragraph(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    slides.slide(tmp_path / "slide.tif")
    with pytest.raises(SourceError, match=words) as caught:
        open_tissue(tmp_path / "slide.tif", **settings)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_glass_alone_and_bands_without_colours_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    glass = np.array(slides.GLASS)[:, None, None] + rng.normal(0, 3, (3, 128, 128))
    slides.write(tmp_path / "glass.tif", glass.clip(0, 255).astype("uint8"))
    with pytest.raises(SourceError, match=r"source\.only is tissue, but there is none"):
        open_tissue(tmp_path / "glass.tif")
    slides.write(tmp_path / "grey.tif", np.full((2, 64, 64), 90, "uint8"), photometric="MINISBLACK")
    with pytest.raises(SourceError, match=r"of the 2 bands that are read it is not known which are red, green"):
        open_tissue(tmp_path / "grey.tif")


def test_little_tissue_is_told(tmp_path: Path) -> None:
    image = np.full((3, 800, 800), 243, "uint8")
    image[:, 48:64, 48:64] = np.array(slides.EOSIN)[:, None, None]
    slides.write(tmp_path / "slide.tif", image)
    config = SourceConfig(path=str(tmp_path / "slide.tif"), only="tissue", tissue=TissueConfig(min_area="100 px"))
    area = open_areas(config, open_source(config)).area
    assert area is not None
    assert area.notes[1].startswith("only 0.040% of the raster is tissue: look at its picture")


def test_hues_of_stains_are_no_inks_and_those_of_pens_are() -> None:
    stains = [slides.EOSIN, slides.NUCLEUS, (140, 90, 45), (150, 160, 195), (205, 90, 115), (190, 60, 95)]
    colours = np.array([*stains, *slides.PENS.values()], np.float32).T[:, None]
    judged = rule.tissue_of(colours, np.ones((1, 10), bool), 255.0, saturation=0.05, pens=True, min_cells=1)
    assert judged.ink[0].tolist() == [False] * 6 + [True] * 4
    assert judged.mask[0].tolist() == [True] * 6 + [False] * 4
