"""zarr-python: the fill value is nodata, the rest are attributes."""

from __future__ import annotations

from typing import Any

import zarr

from tests.readers.xarray_reader import flags


def version() -> str:
    return f"zarr {zarr.__version__}"


def read(path: str) -> dict[str, Any]:
    level = zarr.open_group(path, mode="r")["0"]
    mask = level["mask"]
    return {
        "pixels": mask[:],
        "crs": (level.attrs["proj:code"], level.attrs["spatial:transform"]),
        "nodata": mask.fill_value,
        "names": flags(mask.attrs, "flag_meanings"),
        "colours": flags(mask.attrs, "flag_colors"),
    }
