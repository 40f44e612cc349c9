"""odc-geo: the geobox of what xarray opens."""

from __future__ import annotations

from typing import Any

import odc.geo
import odc.geo.xr  # registers .odc

from tests.readers.xarray_reader import opened


def version() -> str:
    return f"odc-geo {odc.geo.__version__}"


def read(path: str) -> dict[str, Any]:
    mask = opened(path)
    box = mask.odc.geobox
    return {
        "pixels": mask.values,
        "crs": (f"EPSG:{box.crs.epsg}", tuple(box.affine)[:6]),
        "nodata": mask.odc.nodata,
    }
