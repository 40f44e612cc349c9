"""GDAL's own commands: gdalinfo for what a file says, gdal_translate for its pixels."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


def version() -> str:
    (number,) = re.findall(r"GDAL (\d+\.\d+)", output("gdalinfo", "--version"))
    return f"gdalinfo of GDAL {number}"


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read(path: str) -> dict[str, Any]:
    name = f'ZARR:"{path}":/0/mask' if path.endswith(".zarr") else path
    document = json.loads(output("gdalinfo", "-json", name))
    (band,) = document["bands"]
    return {
        "pixels": pixels(name, document["size"]),
        "crs": (code(document["coordinateSystem"]), transform(document["geoTransform"])),
        "nodata": band.get("noDataValue"),
        "names": {code: name for code, name in enumerate(band.get("categories", [])) if name},
        "colours": colours(band.get("colorTable", {}).get("entries", [])),
    }


def pixels(name: str, size: list[int]) -> Any:
    """Rows and columns, by way of a file that is nothing but bytes."""
    with tempfile.TemporaryDirectory() as folder:
        output("gdal_translate", "-q", "-of", "ENVI", name, f"{folder}/raw")
        return np.frombuffer((Path(folder) / "raw").read_bytes(), np.uint8).reshape(size[::-1])


def code(system: dict[str, Any]) -> str | None:
    """The code of the CRS; none where gdalinfo takes its axes for the wrong ones, by which a warp goes astray."""
    codes = re.findall(r'ID\["EPSG",(\d+)\]\]$', system["wkt"])
    return f"EPSG:{codes[0]}" if codes and system["dataAxisToSRSAxisMapping"] == [1, 2] else None


def transform(numbers: list[float]) -> list[float]:
    """GDAL's order of six numbers as the one of affine."""
    return [numbers[k] for k in (1, 2, 0, 4, 5, 3)]


def colours(entries: list[list[int]]) -> dict[int, str]:
    return {number: "#{:02x}{:02x}{:02x}".format(*rgba[:3]) for number, rgba in enumerate(entries) if any(rgba[:3])}
