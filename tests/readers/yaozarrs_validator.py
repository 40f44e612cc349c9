"""yaozarrs' rules of OME-Zarr's metadata, 0.4 and 0.5, and of the arrays that they name."""

from __future__ import annotations

from typing import Any

import yaozarrs


def version() -> str:
    return f"yaozarrs {yaozarrs.__version__}, a validator"


def read(path: str) -> dict[str, Any]:
    yaozarrs.validate_zarr_store(path)
    return {}
