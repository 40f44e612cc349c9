"""What shares and densities of a slide are of: its tissue, as far as the job says what that is."""

from __future__ import annotations

from pipeline.errors import StoreError
from pipeline.privacy.stand_in import stand_ins_in
from pipeline.quality.stats.rows import Denominator
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import StoreLevel

MEANINGS: dict[Denominator, str] = {
    "valid": "pixels with a class",
    "tissue": "tissue, as source.only has it",
    "aoi": "pixels that were asked for",
    "raster": "all pixels",
}


def has_tissue(store: StoreLevel) -> bool:
    """Whether the job of a store names its tissue, by ``source.only``."""
    return bool(read_store_meta(store.path).get("fingerprint", {}).get("source.only"))


def usual_denominator(store: StoreLevel) -> Denominator:
    """Tissue on slides whose job names it, where the store itself tells what it is; else pixels with a class."""
    hidden = stand_ins_in({"only": read_store_meta(store.path).get("config", {}).get("source", {}).get("only")})
    return "tissue" if store.grid.unit == "um" and has_tissue(store) and not hidden else "valid"


def slide_note(store: StoreLevel, of: Denominator, objects: bool) -> str:
    """What shares and densities of a slide are of, for people; empty where the store is no slide's."""
    if store.grid.unit != "um":
        return ""
    density = ", density is objects per mm² of it" if objects else ""
    why = "; the job has no source.only, which would name tissue" if of == "valid" and not has_tissue(store) else ""
    return f"share is of {MEANINGS[of]}{density}{why}"


def require_tissue(store: StoreLevel) -> None:
    """Raise StoreError where a store does not say what is tissue."""
    if not has_tissue(store):
        raise StoreError(
            f"{store.path} was made without source.only, so that nothing says what is tissue. Give --of valid for "
            f"pixels with a class, or run the job with source.only: tissue."
        )
