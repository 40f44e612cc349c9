"""xarray with rioxarray: names and colours are CF's attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rioxarray
import xarray


def version() -> str:
    return f"xarray {xarray.__version__} with rioxarray {rioxarray.__version__}"


def read(path: str) -> dict[str, Any]:
    mask = opened(path)
    return {
        "pixels": mask.values,
        "crs": (mask.rio.crs.to_string(), tuple(mask.rio.transform())[:6]),
        "nodata": mask.rio.nodata,
        "names": flags(mask.attrs, "flag_meanings"),
        "colours": flags(mask.attrs, "flag_colors"),
    }


def opened(path: str) -> Any:
    """The mask of level 0. v2 cannot tell nodata from missing values, so that xarray is told to leave codes alone."""
    options = {"mask_and_scale": False} if (Path(path) / ".zgroup").exists() else {}
    return xarray.open_zarr(path, group="0", **options).mask


def flags(attributes: Any, key: str) -> dict[int, str]:
    """Values by code. CF parts them by blanks, and writes the blank of a name as an underscore."""
    words = (word.replace("_", " ") for word in attributes[key].split())
    return dict(zip(attributes["flag_values"], words, strict=True))
