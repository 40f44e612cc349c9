"""rio-cogeo's rules of a cloud-optimised GeoTIFF."""

from __future__ import annotations

from typing import Any

import rio_cogeo


def version() -> str:
    return f"rio-cogeo {rio_cogeo.__version__}, a validator"


def read(path: str) -> dict[str, Any]:
    valid, errors, warnings = rio_cogeo.cog_validate(path, quiet=True)
    if errors or warnings or not valid:
        raise ValueError(f"{errors} {warnings}")
    return {}
