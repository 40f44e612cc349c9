"""``sample://slide``: a slide like those of a pathologist, stained with haematoxylin and eosin, as an SVS.

Made of random fields, not of anybody's tissue: stroma with fibres and vessels, glands, a tumour with stroma of its own,
aggregates of lymphocytes, empty glass and marks of pens, 0.499 µm per px. Its labels are a raster of pixels of 2 µm,
on the grid that ``source.mpp: 2`` has.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio import Affine
from rasterio.windows import Window as RasterioWindow

from pipeline.geometry.grid import UNIT_TAG
from pipeline.geometry.span import Span, cut, round_up
from pipeline.geometry.window import Window
from pipeline.runtime.optional_imports import require
from pipeline.runtime.resources import cores
from pipeline.sources.gdal.pixel_size import PixelSize
from pipeline.sources.samples import glass, svs
from pipeline.sources.samples.histology import regions
from pipeline.sources.samples.histology.ink import inked, strokes_near
from pipeline.sources.samples.histology.layout import SlideLayout
from pipeline.sources.samples.histology.stains import GLASS, colours, stain_window
from pipeline.sources.slide_files.pyramid import Level, axes_by_size
from pipeline.sources.slide_files.sampling import sampled_at

CLASSES = regions.TISSUE_CLASSES
UNLABELLED = 255
MPP, LABEL_MPP = 0.499, 2.0
"""µm per px of level 0, and of the labels."""
DENSITY_NOISE = 0.05
"""Standard deviation of a density, as a share: what the camera and the finest structures add."""
INKED = 0.1
"""Share of ink from which on nobody knows what lies below."""
WORKERS = 4
"""Pieces that are made at once, at most: each takes about 100 MiB."""


def make(raster: Path, labels: Path, seed: int, size: int) -> None:
    """Write a slide of ``size`` × ``size`` px and its labels, a row of pieces at a time.

    Raises
    ------
    ExtraError
        A library of the extra ``slides`` is missing.
    """
    require("imagecodecs", "slides", "sample://slide")
    layout = SlideLayout.of(seed, size)
    label = glass.label_image(seed)
    sides = svs.SideImages(label=label, macro=partial(glass.macro_image, label))
    with ThreadPoolExecutor(min(cores(), WORKERS)) as pool, _label_file(labels, size) as codes:
        svs.write_svs(raster, size, _rows(layout, pool, codes), sides, _properties())


def render_slide(window: Window, layout: SlideLayout) -> tuple[svs.Rgb, npt.NDArray[np.uint8]]:
    """Pixels (rows, cols, 3) and labels (rows, cols) of one window of level 0."""
    picture, label = _glass(window)
    if layout.may_have_tissue(window):
        picture, label = _tissue(window, layout)
    if strokes := strokes_near(window, layout):
        picture = picture.astype(np.float32)
        label = np.where(inked(picture, window, layout, strokes) > INKED, UNLABELLED, label).astype(np.uint8)
    return picture if picture.dtype == np.uint8 else np.rint(picture).astype(np.uint8), label


def labels_shape(size: int) -> tuple[int, int]:
    """(rows, cols) of the labels of a slide."""
    rows, cols = axes_by_size((size, size), (size // svs.SQUARE_SIDE, size // svs.SQUARE_SIDE))
    level = Level(index=1, rows=rows, cols=cols, tile=(svs.TILE_SIDE, svs.TILE_SIDE))
    stated = PixelSize(height=MPP, width=MPP, origin="")
    return sampled_at(LABEL_MPP, level, (size, size), stated).shape


def _glass(window: Window) -> tuple[Any, npt.NDArray[np.uint8]]:
    """Pixels and labels of bare glass."""
    shape = window.height, window.width
    return np.full((*shape, 3), GLASS, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)


def _tissue(window: Window, layout: SlideLayout) -> tuple[Any, npt.NDArray[np.uint8]]:
    """Pixels, as numbers of 0…255 that are not rounded yet, and labels."""
    tissue = stain_window(window, layout)
    rng = np.random.default_rng((layout.seed, window.row, window.col))
    noise = 1 + np.float32(DENSITY_NOISE) * rng.standard_normal(tissue.label.shape, dtype=np.float32)
    return colours(tissue, layout, noise), tissue.label


def _rows(layout: SlideLayout, pool: Executor, labels: _LabelFile) -> Iterator[list[svs.EncodedPiece]]:
    """Rows of pieces from the top; their labels are written as they come."""
    for rows in cut(layout.size, svs.STREAM_SIDE):
        pairs = list(pool.map(partial(_piece, layout, rows), cut(layout.size, svs.STREAM_SIDE)))
        labels.write(np.concatenate([label for _, label in pairs], axis=1))
        yield [piece for piece, _ in pairs]


def _piece(layout: SlideLayout, rows: Span, cols: Span) -> tuple[svs.EncodedPiece, npt.NDArray[np.uint8]]:
    """A piece of level 0, and the labels whose centres lie in it."""
    height, width = (round_up(span.size, svs.TILE_SIDE) for span in (rows, cols))
    picture, label = render_slide(Window(row=rows.start, col=cols.start, height=height, width=width), layout)
    where = (_centres(span, layout.size) for span in (rows, cols))
    return svs.encoded_piece(picture, rows, cols), label[np.ix_(*where)]


def _centres(span: Span, size: int) -> npt.NDArray[np.int64]:
    """Pixels of a span, counted from its start, that hold the centre of a pixel of the labels."""
    places = np.floor((np.arange(labels_shape(size)[0]) + 0.5) * (LABEL_MPP / MPP)).astype(np.int64)
    inside = (places >= span.start) & (places < span.stop)
    return np.asarray(places[inside] - span.start)


@contextmanager
def _label_file(path: Path, size: int) -> Iterator[_LabelFile]:
    """The raster of the labels, written from its top."""
    rows, cols = labels_shape(size)
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "uint8", "compress": "deflate"}
    transform = Affine(LABEL_MPP, 0, 0, 0, LABEL_MPP, 0)
    with rasterio.open(path, "w", nodata=UNLABELLED, transform=transform, blockysize=64, **profile) as file:
        file.update_tags(**{UNIT_TAG: "um"})
        yield _LabelFile(file)


@dataclass(slots=True)
class _LabelFile:
    """Labels that come from the top, by rows of pieces."""

    file: Any
    top: int = 0

    def write(self, rows: npt.NDArray[np.uint8]) -> None:
        """The next rows."""
        height, width = rows.shape
        self.file.write(rows, 1, window=RasterioWindow(0, self.top, width, height))
        self.top += height


def _properties() -> dict[str, str]:
    """The pairs of Aperio's image description; Title has the invented name."""
    return {
        "AppMag": "20",
        "StripeWidth": "2000",
        "ScanScope ID": "SS0000",
        "Filename": glass.CASE,
        "Title": glass.INVENTED_NAME,
        "Date": "11/30/26",
        "Time": "09:00:00",
        "User": glass.INVENTED_NAME,
        "MPP": f"{MPP:.4f}",
    }
