"""ome-zarr-py: labels with their properties and colours; OME knows neither CRS nor nodata."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from ome_zarr.io import parse_url
from ome_zarr.reader import Reader


def version() -> str:
    return f"ome-zarr {version_of('ome-zarr')}"


def read(path: str) -> dict[str, Any]:
    (node,) = (node for node in Reader(parse_url(path))() if "color" in node.metadata)
    return {
        "pixels": node.data[0].compute(),
        "names": {code: row["class"] for code, row in node.metadata["properties"].items()},
        "colours": hexadecimal(node.metadata["color"]),
    }


def hexadecimal(colours: dict[int, Any]) -> dict[int, str]:
    """Colours from 0 to 1 as ``#rrggbb``, without what is clear."""
    return {
        code: "#" + "".join(f"{round(255 * part):02x}" for part in rgba[:3])
        for code, rgba in colours.items()
        if rgba[3]
    }
