"""The scratch folder of a pass over a store: beside it on disk, else in the system's folder for temporary files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from pipeline.locations import Place, Remote
from pipeline.store.files import PARTIAL


@contextmanager
def scratch_folder(path: Place, name: str) -> Iterator[Path]:
    """An empty folder that goes in the end.

    Its name is that of the store, so that whoever holds the store next removes what a killed run left.

    Parameters
    ----------
    path
        Of a store that is held.
    name
        Of what is made in the folder.
    """
    if isinstance(path, Remote):
        digest = blake2b(str(path).encode(), digest_size=8).hexdigest()
        folder = Path(tempfile.gettempdir()) / f"wholecloth-{name}-{digest}{PARTIAL}"
    else:
        place = path.resolve()
        folder = place.with_name(f".{place.name}.{name}{PARTIAL}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
