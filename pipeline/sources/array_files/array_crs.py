"""The CRS of an array, by the conventions of CF, rioxarray, GeoZarr and GDAL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import rasterio.crs
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import CRSError as GdalCRSError

from pipeline.errors import SourceError

WKT_KEYS = ("crs_wkt", "spatial_ref", "esri_pe_string")
"""Attributes of a grid mapping that hold the whole CRS."""
GEOZARR_KEYS = ("proj:wkt2", "proj:code", "proj:projjson", "proj:epsg")
DEGREES = ("degrees_north", "degree_north", "degrees_east", "degree_east")


def crs_of_array(
    attributes: Sequence[Mapping[str, Any]], grid_mapping: Mapping[str, Any], geographic: bool
) -> tuple[rasterio.crs.CRS | None, str]:
    """The CRS, and what is to be said of it.

    Parameters
    ----------
    attributes
        Of the array and of the groups above it, the nearest first.
    grid_mapping
        Attributes of its grid mapping; empty where it has none.
    geographic
        Whether its coordinates are longitudes and latitudes.

    Raises
    ------
    SourceError
        The CRS that is named is none.
    """
    for text in _texts(attributes, grid_mapping):
        return gdal_crs(text, "the array's CRS"), ""
    if "grid_mapping_name" in grid_mapping:
        try:
            return gdal_crs(CRS.from_cf(dict(grid_mapping)).to_wkt(), "the array's grid mapping"), ""
        except (CRSError, KeyError) as error:
            raise SourceError(
                f"The grid mapping of the array is {grid_mapping['grid_mapping_name']}, of which no CRS can be made "
                f"({str(error)[:120]}). Give the CRS in source.georeference."
            ) from error
    if geographic:
        return gdal_crs("EPSG:4326", "WGS 84"), "its longitudes and latitudes name no datum; WGS 84 is taken"
    return None, ""


def gdal_crs(text: str, name: str) -> rasterio.crs.CRS:
    """A CRS as GDAL knows it, so that an array and the equal GeoTIFF have one. Raises SourceError."""
    try:
        return rasterio.crs.CRS.from_user_input(text)
    except (GdalCRSError, ValueError) as error:
        raise SourceError(
            f"{name} is {text[:80]}, which is no CRS that GDAL knows. Give the CRS in source.georeference."
        ) from error


def _texts(attributes: Sequence[Mapping[str, Any]], grid_mapping: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(grid_mapping[key]) for key in WKT_KEYS if grid_mapping.get(key))
    for document in attributes:
        yield from (_text(key, document[key]) for key in GEOZARR_KEYS if document.get(key))
        gdal = document.get("_CRS")
        if isinstance(gdal, Mapping) and gdal.get("wkt"):
            yield str(gdal["wkt"])


def _text(key: str, value: Any) -> str:
    if key == "proj:epsg":
        return f"EPSG:{value}"
    return CRS.from_json_dict(value).to_wkt() if isinstance(value, dict) else str(value)
