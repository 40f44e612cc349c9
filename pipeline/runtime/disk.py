"""Room on a disk: what cannot fit is refused before it begins."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipeline.errors import PlanError
from pipeline.locations import Place, Remote
from pipeline.runtime.resources import human

MIN_STORED_SHARE = 0.01
"""Bytes stored per byte of pixels, at the least that is expected: masks of large regions take so much, or less."""


def check_disk(place: Place, pixels: int) -> None:
    """Refuse what cannot fit however well it compresses.

    Parameters
    ----------
    place
        Of a store or a file. Object storage has room; what goes there as one file lies on disk meanwhile.
    pixels
        Bytes before compression.

    Raises
    ------
    PlanError
        The disk has no room.
    """
    folder = Path(tempfile.gettempdir()) if isinstance(place, Remote) else place.absolute()
    folder = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free, minimum = shutil.disk_usage(folder).free, pixels * MIN_STORED_SHARE
    if free < minimum:
        raise PlanError(
            f"{place} needs {human(minimum)} of disk at the least, but {folder} has {human(free)} free. "
            f"Make room, or give another output.path."
        )
