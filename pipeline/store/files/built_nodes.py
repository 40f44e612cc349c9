"""Groups and arrays that are added to a store or an image: built in a folder of their own, and put in their place.

Zarr itself would make a group of each folder above them that is none, up to the root of a bucket.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.locations import Place, Remote
from pipeline.store.files import files_at
from pipeline.store.files.object_storage import Bucket


def put_nodes(place: Place, build: Callable[[Path], None]) -> None:
    """Add groups and arrays without a chunk; each file is whole and durable when this returns.

    Parameters
    ----------
    place
        Of the store or the image.
    build
        Makes them below a folder that is empty.
    """
    with tempfile.TemporaryDirectory(prefix="wholecloth-") as folder:
        build(Path(folder))
        for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            files_at(place).put(path.relative_to(folder).as_posix(), path.read_bytes())


def delete_node(place: Place, folder: str) -> None:
    """Delete a group or an array of a store or an image, with all below it."""
    if isinstance(place, Remote):
        Bucket(place).clear(list(files_at(place).list(folder)))
    else:
        shutil.rmtree(place / folder, ignore_errors=True)
