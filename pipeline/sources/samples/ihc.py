"""``sample://ihc``: a real immunohistochemistry picture, 512×512 px, with labels by colour deconvolution.

The picture comes with scikit-image (colonic glands, DAB stain with haematoxylin counterstain). It is small: a larger
``size`` mirrors it, which adds pixels and no tissue. Pixels are taken to be 0.5 µm wide; the picture does not say.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio import Affine
from rasterio.windows import Window as RasterioWindow

from pipeline.geometry.grid import UNIT_TAG
from pipeline.geometry.span import cut
from pipeline.geometry.window import Window

CLASSES = ("background", "nuclei", "stained")
UNLABELLED = 255
PIXEL = 0.5
"""µm."""
_PIECE = 1024


def make(raster: Path, labels: Path, seed: int, size: int) -> None:
    """Write the picture, mirrored to ``size`` × ``size`` px, and its labels.

    ``seed`` changes nothing: the picture is real.
    """
    picture = _picture()
    label = label_of(picture)
    transform = Affine(PIXEL, 0, 0, 0, PIXEL, 0)
    profile = {
        "driver": "GTiff",
        "height": size,
        "width": size,
        "dtype": "uint8",
        "transform": transform,
        "compress": "deflate",
        "tiled": True,
    }
    with (
        rasterio.open(raster, "w", count=3, photometric="RGB", **profile) as image,
        rasterio.open(labels, "w", count=1, nodata=UNLABELLED, **profile) as codes,
    ):
        for dataset in (image, codes):
            dataset.update_tags(**{UNIT_TAG: "um"})
        for rows in cut(size, _PIECE):
            for cols in cut(size, _PIECE):
                window = Window.of(rows, cols)
                where = np.ix_(
                    _mirrored(window.row, window.height, picture.shape[0]),
                    _mirrored(window.col, window.width, picture.shape[1]),
                )
                frame = RasterioWindow(window.col, window.row, window.width, window.height)
                image.write(np.moveaxis(picture[where], -1, 0), window=frame)
                codes.write(label[where], 1, window=frame)


def label_of(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Classes of a picture (rows, cols, 3).

    Stained where DAB dominates, nuclei where haematoxylin does, by Otsu's thresholds.
    """
    from skimage.color import rgb2hed
    from skimage.filters import gaussian, threshold_otsu

    stains = rgb2hed(picture)
    haematoxylin, dab = (gaussian(stains[..., k], 1.5) for k in (0, 2))
    stained = dab > threshold_otsu(dab)
    nuclei = (haematoxylin > threshold_otsu(haematoxylin[~stained])) & ~stained
    return (np.where(stained, 2, np.where(nuclei, 1, 0))).astype(np.uint8)


def _picture() -> npt.NDArray[np.uint8]:
    from skimage.data import immunohistochemistry

    return np.asarray(immunohistochemistry(), dtype=np.uint8)


def _mirrored(start: int, count: int, length: int) -> npt.NDArray[np.int64]:
    """Indices of a picture that is laid end to end, every other one mirrored."""
    at = np.arange(start, start + count) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)
