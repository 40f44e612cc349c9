"""A layer of polygons in a file, read by rectangles: whatever GDAL's vector drivers open."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError, LabelsError
from pipeline.geometry.crs import Box
from pipeline.privacy.concealed import conceal_opened
from pipeline.runtime.optional_imports import require
from pipeline.sources.qupath_class import qupath_class_name

GeometryArray = npt.NDArray[np.object_]
VECTOR = {
    ".geojson",
    ".json",
    ".geojsonl",
    ".gpkg",
    ".fgb",
    ".shp",
    ".shz",
    ".gdb",
    ".kml",
    ".gml",
    ".sqlite",
    ".parquet",
}
"""Endings of files that hold polygons; everything else is a raster."""
NON_AREA_TYPES = ("Point", "LineString", "MultiPoint", "MultiLineString")
"""Kinds of geometry that cover no pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolygonUse:
    """What polygons are for, as messages say it."""

    name: str
    """Who is spoken of, in the plural; their path follows."""
    option: str
    """How one of several layers is named."""
    alternative: str
    """What else may be given."""
    error: type[InputError]
    attribute: str = "Give --attribute NAME (labels.attribute)"
    """How a field is named."""


LABEL_POLYGONS = PolygonUse(
    name="The labels",
    option="Give --labels-layer NAME (labels.layer)",
    alternative=", or a raster of class codes",
    error=LabelsError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygons:
    """Polygons in the order of the file."""

    fids: npt.NDArray[np.int64]
    """(features,) numbers in the file."""
    polygons: GeometryArray
    """(features,) shapely geometries."""
    values: npt.NDArray[Any] | None
    """(features,) of the attribute, if one is read."""

    def __getitem__(self, selection: npt.NDArray[Any]) -> Polygons:
        return Polygons(
            fids=self.fids[selection],
            polygons=self.polygons[selection],
            values=None if self.values is None else self.values[selection],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolygonFile:
    """Where polygons are read from; small and picklable."""

    path: str
    name: str
    attribute: str | None
    crs: str | None
    """WKT or AUTHORITY:CODE."""
    box: Box
    """Outline of all features, in the CRS."""
    indexed: bool
    """Whether the file finds what lies in a rectangle without looking at the rest."""
    is_geojson: bool
    """GDAL says degrees of every GeoJSON, also where a program for slides wrote columns and rows."""
    where: str | None = None
    """Condition on the attributes, as GDAL's SQL says it."""
    classes: tuple[str, ...] | None = None
    """Values of the attribute that are read, as `qupath_class_name` has them; None for all."""
    role: PolygonUse = LABEL_POLYGONS

    @property
    def description(self) -> str:
        """What the polygons are and where they come from, in words."""
        return f"{self.role.name} {self.path}"

    def field_names(self) -> list[str]:
        """Names of the fields of its layer. Raises the error of its role."""
        pyogrio, _ = _libraries()
        try:
            return [str(field) for field in pyogrio.read_info(self.path, layer=self.name)["fields"]]
        except (RuntimeError, ValueError, OSError) as error:
            raise self.role.error(f"{self.description} cannot be read ({_one_line(error)}). Mend the file.") from error

    def fields(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any] | None]:
        """Numbers of all features and the values of their attribute, in the order of the file; no polygon is read.

        Raises
        ------
        InputError
            The error of their role: the file cannot be read.
        """
        pyogrio, _ = _libraries()
        columns = [self.attribute] if self.attribute else []
        try:
            _, fids, _, fields = pyogrio.raw.read(
                self.path, layer=self.name, columns=columns, return_fids=True, read_geometry=False, where=self.where
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise self.role.error(f"{self.description} cannot be read ({_one_line(error)}). Mend the file.") from error
        return fids, fields[0] if self.attribute else None

    def read(self, boxes: Sequence[Box] | None) -> Polygons:
        """Polygons that may reach into one of a few rectangles, or all of them. Raises the error of their role."""
        parts = [self._read(box) for box in boxes] if boxes is not None else [self._read(None)]
        fids = np.concatenate([part.fids for part in parts])
        polygons = np.concatenate([part.polygons for part in parts])
        values = np.concatenate([part.values for part in parts if part.values is not None]) if self.attribute else None
        _, first = np.unique(fids, return_index=True)  # in the order of the file, which an index does not keep
        return Polygons(fids=fids, polygons=polygons, values=values)[first]

    def read_numbers(self, fids: npt.NDArray[np.int64]) -> Polygons:
        """Polygons of features by their numbers, in the order of the file. Raises the error of their role."""
        return self._read(None, np.sort(fids))

    def _read(self, box: Box | None, selection: npt.NDArray[np.int64] | None = None) -> Polygons:
        pyogrio, shapely = _libraries()
        columns = [self.attribute] if self.attribute else []
        try:
            _, fids, wkb, fields = pyogrio.raw.read(
                self.path,
                layer=self.name,
                columns=columns,
                return_fids=True,
                force_2d=True,
                where=self.where,
                bbox=(box.left, box.bottom, box.right, box.top) if box else None,
                fids=selection,
            )
            polygons = shapely.from_wkb(wkb)
        except (RuntimeError, ValueError, OSError, shapely.errors.ShapelyError) as error:
            condition = "" if self.where is None else f" where {self.where}"
            raise self.role.error(
                f"{self.description} cannot be read{condition} ({_one_line(error)}). Mend "
                f"{'the condition or ' * bool(condition)}the file."
            ) from error
        read = Polygons(fids=fids, polygons=polygons, values=fields[0] if self.attribute else None)
        chosen = (shapely.get_dimensions(polygons) == 2) & ~shapely.is_empty(polygons)
        if self.classes is not None and read.values is not None:
            chosen &= np.isin([str(qupath_class_name(value)) for value in read.values], self.classes)
        return read[chosen]


def is_vector(path: str) -> bool:
    """Whether a path names polygons, by its ending."""
    return PurePosixPath(path.split("?", 1)[0]).suffix.lower() in VECTOR


def open_polygons(
    path: str,
    layer: str | None,
    attribute: str | None = None,
    *,
    where: str | None = None,
    role: PolygonUse = LABEL_POLYGONS,
) -> PolygonFile:
    """Look at a file of polygons; none of them is read.

    Parameters
    ----------
    path
        A path, a URL, or one of GDAL's ``/vsi`` names.
    layer
        Its name, needed where the file has several.
    attribute
        Field that is read with each polygon.
    where
        Condition that the polygons have to meet.
    role
        What they are for.

    Raises
    ------
    InputError
        The error of the role: it is missing, empty, without polygons, or lacks the layer or the attribute.
    ExtraError
        The libraries are not installed.
    """
    pyogrio, _ = _libraries()
    conceal_opened([path])
    description = f"{role.name} {path}"
    try:
        name = _layer(description, role, [str(row[0]) for row in pyogrio.list_layers(path)], layer)
        info = pyogrio.read_info(path, layer=name, force_feature_count=True, force_total_bounds=True)
    except (RuntimeError, ValueError, OSError) as error:
        missing = "://" not in path and not path.startswith("/vsi") and not os.path.exists(path)
        problem = "does not exist" if missing else f"cannot be opened as polygons ({_one_line(error)})"
        raise role.error(
            f"{description}: the file {problem}. Give polygons as GeoJSON, GeoPackage, FlatGeobuf or "
            f"shapefile{role.alternative}."
        ) from error
    if not info["features"] or info["total_bounds"] is None:
        raise role.error(f"{description} hold no feature in their layer {name}. Give a layer that holds polygons.")
    if str(info["geometry_type"]).split()[0] in NON_AREA_TYPES:  # with Z or without
        raise role.error(
            f"{description} are of {info['geometry_type']}s, which cover no pixel. Give polygons; a buffer "
            f"makes them of points and lines."
        )
    fields = [str(field) for field in info["fields"]]
    if attribute is not None and attribute not in fields:
        raise role.error(
            f"{description} have no attribute {attribute!r}{_nearest(attribute, fields)}. "
            f"{role.attribute} of one that they have."
        )
    left, bottom, right, top = (float(edge) for edge in info["total_bounds"])
    return PolygonFile(
        path=path,
        name=name,
        attribute=attribute,
        crs=info["crs"],
        box=Box(left=left, bottom=bottom, right=right, top=top),
        indexed=bool(info["capabilities"]["fast_spatial_filter"]),
        is_geojson=str(info["driver"]).startswith("GeoJSON"),
        where=where,
        role=role,
    )


def _layer(description: str, role: PolygonUse, names: list[str], requested: str | None) -> str:
    if requested is not None and requested not in names:
        raise role.error(
            f"{description} have no layer {requested!r}{_nearest(requested, names)}. {role.option} of one "
            f"that they have."
        )
    if requested is None and len(names) != 1:
        raise role.error(f"{description} have {len(names)} layers ({', '.join(names[:12])}). {role.option} of one.")
    return requested or names[0]


def _nearest(name: str, options: list[str]) -> str:
    near = difflib.get_close_matches(name, options, 1, cutoff=0.5) or [
        option for option in options if option.lower() == name.lower()
    ]
    if near:
        return f" (did you mean {near[0]}?)"
    return (
        f"; they have {', '.join(options[:12])}{' …' if len(options) > 12 else ''}"
        if options
        else "; they have none at all"
    )


def _libraries() -> tuple[Any, Any]:
    pyogrio, shapely = (require(name, "vector", "Reading polygons") for name in ("pyogrio", "shapely"))
    pyogrio.set_gdal_config_options({"OGR_GEOJSON_MAX_OBJ_SIZE": 0})  # one feature may be larger than GDAL's 200 MB
    return pyogrio, shapely


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
