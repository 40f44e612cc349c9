"""Files that other programs open: sidecars for GDAL and QGIS, and a picture of the mask.

An export is one file and its row in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.exports import quicklook, vrt
from pipeline.locations import Place
from pipeline.store.spec import StoreSpec

Export = Callable[[Place, StoreSpec], Place]
"""A store that is marked complete, and its spec → the file that was written beside it.

Written again, it is the same to the byte.
"""

KINDS: dict[str, Export] = {"sidecar": vrt.write, "quicklook": quicklook.write}
"""By what a report calls the file, in the order in which exports are written."""


def write_exports(path: Place, spec: StoreSpec) -> dict[str, Place]:
    """Write every export of a complete store; the files, by what a report calls them."""
    return {name: write(path, spec) for name, write in KINDS.items()}
