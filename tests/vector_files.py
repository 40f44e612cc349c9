"""Polygons on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write(path: Path, **options: Any) -> None:
    """Write with pyogrio, which is imported by the tests that need it and not by the collection of all."""
    from pyogrio import raw

    raw.write(path, **options)
