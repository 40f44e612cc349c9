"""rasterio, of any version."""

from __future__ import annotations

from typing import Any

import rasterio


def version() -> str:
    return f"rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}"


def read(path: str) -> dict[str, Any]:
    with rasterio.open(f'ZARR:"{path}":/0/mask' if path.endswith(".zarr") else path) as raster:
        return {
            "pixels": raster.read(1),
            "crs": (f"EPSG:{raster.crs.to_epsg()}", tuple(raster.transform)[:6]),
            "nodata": raster.nodata,
            "colours": colours(raster),
        }


def colours(raster: Any) -> dict[int, str]:
    """The palette without what is clear and what is black, by which GDAL fills it up."""
    try:
        palette = raster.colormap(1)
    except ValueError:  # there is none
        return {}
    return {code: "#{:02x}{:02x}{:02x}".format(*rgba[:3]) for code, rgba in palette.items() if any(rgba[:3])}
