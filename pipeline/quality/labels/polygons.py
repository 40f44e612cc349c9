"""Labels in polygons: those that reach into a window are burned into it, later ones over earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.features import rasterize
from rasterio.transform import Affine

from pipeline.errors import LabelsError
from pipeline.geometry.crs import bbox_of, check_overlap
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.quality.labels.class_codes import LabelMapping, Value, class_code
from pipeline.sources.polygons import PolygonFile, Polygons
from pipeline.sources.polygons_in_pixels import IndexedPolygons, check_sides, features_in
from pipeline.store.spec import ClassRow


@dataclass(frozen=True, kw_only=True)
class VectorLabels:
    """Labels in polygons. Pickles as this spec; each process opens the file on first use."""

    layer: PolygonFile
    grid: Grid
    """Of the image."""
    meaning: LabelMapping
    burn: int | None
    """Class code of every polygon, or None where an attribute says it."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layer", "grid", "meaning", "burn")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def read(self, window: Window) -> npt.NDArray[np.uint16]:
        """Class codes of a window.

        Of the last polygon that covers a pixel's centre, else of the background, else IGNORE.

        Returns
        -------
        NDArray
            (rows, cols); IGNORE outside the image.

        Raises
        ------
        LabelsError
            The file cannot be read, or an attribute names no class.
        """
        codes = np.full((window.height, window.width), IGNORE, dtype=np.uint16)
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            codes[inside.index_in(window)] = self._rasterise(inside)
        return codes

    def _rasterise(self, window: Window) -> npt.NDArray[np.uint16]:
        features = features_in(self.layer, self.grid, window) if self.layer.indexed else self._indexed.touching(window)
        codes = self._codes(features)
        if not codes:
            return np.full((window.height, window.width), self.meaning.outside, dtype=np.uint16)
        burned: npt.NDArray[np.uint16] = rasterize(
            zip(features.polygons, codes, strict=True),
            out_shape=(window.height, window.width),
            fill=self.meaning.outside,
            transform=Affine.translation(window.col, window.row),
            dtype="uint16",
        )
        return burned

    def _codes(self, features: Polygons) -> list[int]:
        if self.burn is not None:
            return [self.burn] * len(features.polygons)
        assert features.values is not None
        return [self.meaning.code_of(value) for value in features.values]

    @cached_property
    def _indexed(self) -> IndexedPolygons:
        """What reaches into the image, where the file itself has no index."""
        return IndexedPolygons(self.layer, self.grid)


def open_polygon_labels(
    layer: PolygonFile, grid: Grid, meaning: LabelMapping, classes: Sequence[ClassRow], burn: Value | None
) -> VectorLabels:
    """Polygons on a grid.

    Raises
    ------
    LabelsError
        They lie elsewhere, or nothing says which class they mean.
    """
    if layer.attribute is not None and burn is not None:
        raise LabelsError(
            f"The labels {layer.path} get their class from the attribute {layer.attribute} or from burn, "
            f"not from both. Leave one of them out."
        )
    _check_place(layer, grid)
    return VectorLabels(layer=layer, grid=grid, meaning=meaning, burn=_code_to_burn(layer, classes, burn))


def _code_to_burn(layer: PolygonFile, classes: Sequence[ClassRow], burn: Value | None) -> int | None:
    if burn is not None:
        return class_code(layer.path, classes, burn)
    if layer.attribute is not None:
        return None
    codes = [row.code for row in classes if row.role is None]
    if len(codes) == 1:
        return codes[0]
    raise LabelsError(
        f"The labels {layer.path} are polygons, and which of the {len(codes)} classes they mean is not "
        f"said. Give --attribute NAME (labels.attribute) "
        "of the field that holds the class, or --burn CLASS (labels.burn) where all of them mean one."
    )


def _check_place(layer: PolygonFile, grid: Grid) -> None:
    if grid.wkt is not None and layer.crs is not None:
        check_overlap(layer.path, layer.box, layer.crs, grid)
        return
    check_sides(layer, grid)
    if not bbox_of(grid).intersects(layer.box):
        raise LabelsError(
            f"The labels {layer.path} do not overlap the image: it has no CRS, so their coordinates are its "
            f"columns and rows, and they cover {layer.box}, "
            f"the image {bbox_of(grid)}. Give labels of the same image."
        )
