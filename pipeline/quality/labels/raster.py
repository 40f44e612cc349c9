"""Labels in a raster: read pixel by pixel where it has the image's grid, warped window by window where it has not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.config.paths import is_gdal_name
from pipeline.errors import LabelsError
from pipeline.geometry.crs import bbox_of, check_overlap, crs_mismatch_error, same_corners, same_grid, turns
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.quality.labels.class_codes import LabelMapping
from pipeline.sources.gdal.contents import inner_names
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.validity.nodata import attributes
from pipeline.sources.warp import WarpedRaster

CLASS_LABELS = "a raster of class codes, or polygons as GeoJSON, GeoPackage, FlatGeobuf or shapefile"


@dataclass(frozen=True, kw_only=True)
class RasterLabels:
    """Labels in a raster. Pickles as this spec; each thread opens a handle of its own on first use."""

    raster: WarpedRaster
    """The file on the image's grid."""
    meaning: LabelMapping

    @property
    def grid(self) -> Grid:
        """Of the image."""
        return self.raster.grid

    @property
    def straight(self) -> bool:
        """Whether the labels have the image's own pixels."""
        return self.raster.aligned

    @property
    def turns(self) -> tuple[float, ...]:
        """How far to the east the labels are moved to lie on the image, each in turn, in the units of their CRS."""
        return self.raster.turns

    def read(self, window: Window) -> npt.NDArray[np.uint16]:
        """Class codes of a window; IGNORE where the labels end, have nodata, or are to be ignored.

        Returns
        -------
        NDArray
            (rows, cols).

        Raises
        ------
        LabelsError
            The file cannot be read there, or holds what is no class.
        """
        codes = np.full((window.height, window.width), IGNORE, dtype=np.uint16)
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            codes[inside.index_in(window)] = self.meaning.codes_of_pixels(*self._read(inside))
        return codes

    def _read(self, window: Window) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Values, and where they are valid."""
        raster = self.raster
        try:
            values, mask = raster.read(window)
        except (RasterioError, OSError, MemoryError) as error:
            raster.reopen()
            raise LabelsError(
                f"The labels {raster.path} cannot be read at {window} ({error.__cause__ or error}). Mend or "
                f"replace the file."
            ) from error
        valid = mask > 0
        if raster.nodata_is_value and raster.aligned:
            valid[:] = True
        return values, valid & ~np.isnan(values) if values.dtype.kind == "f" else valid


def open_raster(path: str, grid: Grid, meaning: LabelMapping) -> RasterLabels:
    """Open labels in a raster and see that they fit the image.

    Raises
    ------
    LabelsError
        They are missing, of several bands, or lie elsewhere.
    """
    with open_file(path) as dataset:
        bands = [kind for kind in dataset.colorinterp if kind is not ColorInterp.alpha]
        if len(bands) != 1:
            raise LabelsError(
                f"The labels {path} have {len(bands)} bands. Give a raster of one band that holds class codes."
            )
        place = grid_of(dataset)
        straight, unmarked = has_image_grid(path, place, grid), _unmarked(path, dataset, meaning)
    if not any(isinstance(key, int) for key in meaning.table):
        raise LabelsError(
            f"Pixels are numbers, but --values (labels.values) lists only texts for the labels {path}. Say "
            f"which class each number means, as in 0=CLASS."
        )
    moves = (0.0,) if straight or place.wkt is None else turns(bbox_of(place), place.wkt, grid)
    raster = WarpedRaster(
        path=path, opener=open_file, grid=grid, aligned=straight, turns=moves, nodata_is_value=unmarked
    )
    return RasterLabels(raster=raster, meaning=meaning)


def _unmarked(path: str, dataset: DatasetReader, meaning: LabelMapping) -> bool:
    """Whether the file's nodata is a value like the others.

    LabelsError where it is also the code of a class, and nobody says which of the two it means.
    """
    nodata = dataset.nodatavals[0]
    if MaskFlags.nodata not in dataset.mask_flag_enums[0] or nodata is None or not float(nodata).is_integer():
        return False
    if dataset.driver == "Zarr" and nodata not in attributes(dataset):
        return True  # the fill value says what a missing chunk holds, and no more
    value = int(nodata)
    if meaning.table.get(value, IGNORE) == IGNORE or meaning.listed:
        return meaning.table.get(value, IGNORE) != IGNORE
    example = ",".join(f"{row}={row}" for row in sorted({key for key in meaning.table if isinstance(key, int)})[:2])
    raise LabelsError(
        f"The labels {path} have nodata {value}, which is also the code of a class; the classes are "
        f"{meaning.classes}. Say that it is the class by listing "
        f"what every value means, --values {example},… (labels.values: {{{value}: {value}, …}}), or that it "
        f"is unknown, --ignore {value} "
        f"(labels.ignore: [{value}])."
    )


def has_image_grid(path: str, labels: Grid, image: Grid) -> bool:
    """Whether pixels correspond one to one; LabelsError where they do not correspond at all."""
    if (labels.wkt is None) != (image.wkt is None):
        raise crs_mismatch_error(f"The labels {path}", labels.wkt is not None)
    if labels.wkt is not None:
        check_overlap(path, bbox_of(labels), labels.wkt, image)
        return same_grid(labels, image)
    if (labels.height, labels.width) != (image.height, image.width):
        raise LabelsError(
            f"The labels {path} have {labels.height} × {labels.width} px, the image {image.height} × "
            f"{image.width}, and neither has a CRS by which to "
            "lay one on the other. Give labels of the image's size."
        )
    georeferenced = [grid for grid in (labels, image) if grid.transform != Grid(height=1, width=1).transform]
    if len(georeferenced) == 2 and not same_corners(labels, image):
        raise LabelsError(
            f"The labels {path} begin at {_corner(labels)}, the image at {_corner(image)}, and neither has "
            f"a CRS by which to lay one on the other. "
            "Give labels of the same grid, or give both their CRS."
        )
    return True


def _corner(grid: Grid) -> str:
    return f"x {grid.transform[2]:.10g}, y {grid.transform[5]:.10g}"


def open_file(path: str, expected: str = CLASS_LABELS) -> DatasetReader:
    """Open labels in a raster; raises LabelsError, which says what is ``expected`` instead."""
    try:
        dataset: DatasetReader = rasterio.open(path)
    except (RasterioError, OSError) as error:
        whole = "://" not in path and not path.startswith("/vsi") and not is_gdal_name(path)
        reason = "does not exist" if whole and not os.path.exists(path) else "is no raster that GDAL can open"
        raise LabelsError(f"The labels {path}: the file {reason}. Give {expected}.") from error
    if dataset.count == 0:
        raise LabelsError(
            f"The labels {path} have no bands of their own. Name one of the subdatasets: "
            f"{', '.join(inner_names(dataset)[:3])}."
        )
    return dataset
