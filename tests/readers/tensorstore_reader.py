"""tensorstore: arrays, whose fill value is nodata."""

from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore


def version() -> str:
    return f"tensorstore {version_of('tensorstore')}"


def read(path: str) -> dict[str, Any]:
    driver = "zarr" if (Path(path) / ".zgroup").exists() else "zarr3"
    array = tensorstore.open({"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/0/mask"}}).result()
    return {"pixels": np.asarray(array.read().result()), "nodata": array.fill_value}
