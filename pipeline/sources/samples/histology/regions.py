"""Which tissue lies where: glass, stroma, glands, tumour and aggregates of lymphocytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.sources.samples.histology.layout import FRAY, WOBBLE, SlideLayout, ellipses_depth
from pipeline.sources.samples.histology.plane import Plane, PlaneArray, octaves

TISSUE_CLASSES = ("background", "stroma", "gland", "tumour", "lymphocytes")
BACKGROUND, STROMA, GLAND, TUMOUR, LYMPHOCYTES = range(5)
BORDER = 260.0
"""px around the edge of the tumour in which lymphocytes gather."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How far inside each tissue a place lies; above 0 is inside."""

    tissue: PlaneArray
    """px; vessels and tears in it are outside."""
    tumour: PlaneArray
    """px, of the whole tumour."""
    nests: PlaneArray
    """Of the tumour's cells among its stroma, without unit."""
    lymphocytes: PlaneArray
    """Without unit."""

    def labels(self, gland_share: PlaneArray) -> npt.NDArray[np.uint8]:
        """Classes of the places, where 1 is the outline of a gland."""
        label = np.full(self.tissue.shape, STROMA, dtype=np.uint8)
        label[self.lymphocytes > 0] = LYMPHOCYTES
        label[self.nests > 0] = TUMOUR
        label[gland_share < 1] = GLAND
        label[self.tissue <= 0] = BACKGROUND
        return label


def depths(plane: Plane, layout: SlideLayout) -> Depths:
    """Depths of all places of a plane."""
    tumour = tumour_depth(plane, layout)
    nests = octaves(plane, (240, 100, 42), layout.seed_of(30)) + 0.05 + np.clip(tumour, -300, 60) / 300
    return Depths(
        tissue=tissue_depth(plane, layout),
        tumour=tumour,
        nests=nests,
        lymphocytes=lymphocyte_depth(plane, layout, tumour),
    )


def tissue_depth(plane: Plane, layout: SlideLayout) -> PlaneArray:
    """How far inside the outline of the tissue, and outside its vessels and tears, each place lies, px."""
    size = layout.size
    depth = ellipses_depth(plane, layout.tissue).astype(np.float32)
    depth = depth + np.float32(WOBBLE * size) * octaves(plane, (size * 0.21, size * 0.08), layout.seed_of(10))
    depth += np.float32(FRAY) * octaves(plane, (260, 90, 34), layout.seed_of(12))
    vessels = 220 * (0.5 - octaves(plane, (620, 210, 70), layout.seed_of(14)))
    return np.asarray(np.minimum(depth, vessels), dtype=np.float32)


def tumour_depth(plane: Plane, layout: SlideLayout) -> PlaneArray:
    """How far inside the tumour, its stroma counted, each place lies, px."""
    size = layout.size
    depth = layout.tumour.depth(plane.rows, plane.cols).astype(np.float32)
    return np.asarray(depth + np.float32(0.06 * size) * octaves(plane, (size * 0.15, 700, 240), layout.seed_of(20)))


def lymphocyte_depth(plane: Plane, layout: SlideLayout, tumour: PlaneArray) -> PlaneArray:
    """Above 0 in aggregates, which are most frequent at the edge of the tumour."""
    at_border = np.exp(-np.square(tumour / BORDER))
    return np.asarray(octaves(plane, (460, 180, 60), layout.seed_of(40)) - 0.42 + np.float32(0.36) * at_border)
