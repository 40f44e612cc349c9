"""Tissue as a mask that travels to workers."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import PackedMask
from pipeline.sources.only.mask_area import AxisMap, MaskArea

LITTLE = 0.001
"""Share of tissue below which a person is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TissueMask:
    """Cells of tissue, compressed."""

    bits: str
    """As `PackedMask.as_dict` has them."""
    shape: tuple[int, int]
    """(rows, cols) of cells."""
    digest: str
    notes: tuple[str, ...]
    """How it was estimated, and whether there is little of it."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> TissueMask:
        """From what a store keeps."""
        rows, cols = document["shape"]
        digest = hashlib.blake2b(f"{rows} {cols} {list(document['scale'])}".encode(), digest_size=16)
        digest.update(PackedMask.from_dict(document).bits.tobytes())
        notes = tuple(_notes(document))
        return cls(bits=document["bits"], shape=(rows, cols), digest=digest.hexdigest(), notes=notes)

    @property
    def description(self) -> str:
        """The cells, for messages."""
        return "The pixels of source.only: tissue"

    @property
    def place(self) -> str:
        """What it is made of."""
        return "tissue"

    def packed(self) -> PackedMask:
        """The mask, in memory once per process."""
        return _packed(self)


def tissue_area(document: Mapping[str, Any], grid: Grid) -> MaskArea:
    """Tissue as `estimate_tissue` gave it, laid over its raster."""
    rows, cols = (AxisMap(scale=scale) for scale in document["scale"])
    origin = TissueMask.of(document)
    return MaskArea(origin=origin, height=grid.height, width=grid.width, rows=rows, cols=cols)


@functools.lru_cache(maxsize=4)
def _packed(tissue: TissueMask) -> PackedMask:
    return PackedMask.from_dict({"bits": tissue.bits, "shape": tissue.shape})


def _notes(document: Mapping[str, Any]) -> list[str]:
    by = "by Otsu" if document["otsu"] else "as source.tissue says"
    ink = f"; {document['ink']:.2%} of the raster are marks of pens" if document["ink"] else ""
    notes = [f"tissue is more saturated than {document['saturation']:.3f}, {by}, on {document['origin']}{ink}"]
    if document["share"] < LITTLE:
        notes.append(
            f"only {document['share']:.3%} of the raster is tissue: look at its picture in a preview, and at "
            f"source.tissue"
        )
    return notes
