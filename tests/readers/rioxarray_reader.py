"""rioxarray on a file that GDAL opens: it has no notion of names and colours."""

from __future__ import annotations

from typing import Any

import rioxarray


def version() -> str:
    return f"rioxarray {rioxarray.__version__}"


def read(path: str) -> dict[str, Any]:
    with rioxarray.open_rasterio(path) as bands:
        return {
            "pixels": bands.values[0],
            "crs": (bands.rio.crs.to_string(), tuple(bands.rio.transform())[:6]),
            "nodata": bands.rio.nodata,
        }
