"""What changes pixels, and nothing else: a store is resumed only under the same fingerprint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Network, Source
from pipeline.locations import Place
from pipeline.planning.option import Resolved, requested_values, resolved_values
from pipeline.planning.options import FINGERPRINT_OPTIONS, OLD_DEFAULTS
from pipeline.privacy.stand_in import stand_in
from pipeline.redact import redacted_document
from pipeline.sources.mosaics.history import MAX_CHANGES, piece_changes
from pipeline.sources.stacked.names import IDENTITY_KEY

if TYPE_CHECKING:
    from pipeline.sources.only.area import SourceAreas

Fingerprint = dict[str, Any]

DEFAULTS_OF_OLD_STORES: Fingerprint = {
    **OLD_DEFAULTS,
    "source.aoi": None,
    "source.only": None,
    "source.tissue": None,
    "source.as": [],
    "source.warp": None,
    "model.revision": 1,
}
"""Values in stores that lack the key: of options, and of what identifies the source and the network."""
OPTIONAL_REMOTE_KEYS = {
    "source.etag",
    "source.size",
    "source.modified",
    "source.chunks",
    "source.level_0_px",
    "model.key",
    "model.tensors",
    "model.code",
    "model.reads",
    "model.encoders",
}
"""Keys that a server may leave out, or that stores of earlier releases lack: a missing one is no difference."""
INSTEAD = {"model.sha256": "model.tensors", "model.source": "model.code"}
"""What stores of before know in the place of what is known since: a file that was saved again holds the same
tensors."""
ITEMS = "source.items"
"""Names of the items that a search gave."""
MOVED = {"source.path", "source.files", "source.chunks", "source.etag", "source.modified"}
"""Where a raster lies, and since when: its pixels may be the same all the same."""


def resolved_fingerprint(identity: Fingerprint, resolved: Resolved) -> Fingerprint:
    """Everything that changes pixels, as flat keys with plain values.

    Parameters
    ----------
    identity
        Of the source, its areas and the network, from `input_identity`.
    resolved
        What the options are read from.
    """
    return {**identity, **resolved_values(FINGERPRINT_OPTIONS, resolved)}


def requested_fingerprint(identity: Fingerprint, resolved: Resolved) -> Fingerprint:
    """What the config insists on: ``auto`` takes whatever the store was made with, so it is left out."""
    return {**identity, **requested_values(FINGERPRINT_OPTIONS, resolved)}


def completed(meta: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint that a store says, with what stores of before say elsewhere in their root."""
    part: Any = meta
    for name in ("config", "model", "output", "key"):
        part = part.get(name) if isinstance(part, Mapping) else None
    return {**({"model.key": part} if isinstance(part, str) else {}), **meta["fingerprint"]}


def differing(then: Mapping[str, Any], now: Fingerprint) -> list[str]:
    """Keys of what is wanted now that were otherwise; what could not be known then is no difference."""
    then = without_own_sources({**DEFAULTS_OF_OLD_STORES, **redacted_document(dict(then))})
    return [
        key
        for key, value in now.items()
        if not same(key, then.get(key), value)
        and not ((instead := _known_instead(key)) in then and instead in now)
        and (key in then or of_one_source(key) not in OPTIONAL_REMOTE_KEYS)
    ]


def _known_instead(key: str) -> str | None:
    """The key that is known in the place of one, as in `INSTEAD`; of a network of an ensemble that of the same."""
    member = re.match(r"model\.members\.\d+\.", key)
    prefix = member[0] if member else "model."
    instead = INSTEAD.get(f"model.{key.removeprefix(prefix)}")
    return None if instead is None else f"{prefix}{instead.removeprefix('model.')}"


def is_move(key: str) -> bool:
    """Whether a key says where a raster lies, or since when, and nothing of its pixels."""
    return of_one_source(key) in MOVED


def of_one_source(key: str) -> str:
    """The key that a source has alone, of one that it has in a stack or as an input of the network.

    ``source.size`` of ``source.path.1.size`` and of ``source.inputs.after.size``.
    """
    of_input = IDENTITY_KEY.fullmatch(key)
    return re.sub(r"^source\.path\.\d+\.", "source.", f"source.{of_input['key']}" if of_input else key)


def config_key(key: str) -> str:
    """A key of a fingerprint as the config has it: ``model.inputs.after.size`` of ``source.inputs.after.size``."""
    return re.sub(r"^source\.inputs(?=\.|$)", "model.inputs", key)


def compare(stored: Mapping[str, Any], now: Fingerprint, path: Place) -> bool:
    """Raise StoreError where the store was made under another fingerprint.

    Returns
    -------
    bool
        Whether the source lies elsewhere, or was written anew, and nothing else differs: then its pixels decide.
    """
    keys = differing(stored, now)
    if all(map(is_move, keys)):
        return bool(keys)
    stored = {**DEFAULTS_OF_OLD_STORES, **redacted_document(dict(stored))}
    pieces = piece_changes(stored.get("source.files"), now.get("source.files"))
    keys = [key for key in keys if not pieces or key != "source.files"]
    changes = "; ".join(_difference(key, stored.get(key), now) for key in keys[:3])
    more = f" (and {len(keys) - 3} more)" if len(keys) > 3 else ""
    if pieces:
        more += f"; of the pieces of the mosaic {pieces}"
    raise StoreError(
        f"{path} was made by another job: {changes}{more}. Resuming would mix two results in one store. Undo "
        f"the change, give another "
        "output.path, or run with --fresh, which deletes the store and starts over."
    )


def differing_parts(then: object, now: object) -> tuple[object, object]:
    """Of two mappings the entries that differ; of anything else both as they are."""
    if not (isinstance(then, Mapping) and isinstance(now, Mapping)):
        return then, now
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return {name: then.get(name) for name in names}, {name: now.get(name) for name in names}


def without_own_sources(stored: Fingerprint) -> Fingerprint:
    """A fingerprint whose network read no source of the package.

    Earlier releases noted those that Python compiled while it imported a factory.
    """
    own = {
        f"{module.rpartition('.')[2]}.py" for module in stored.get("model.code") or {} if module.startswith("pipeline.")
    }
    read = stored.get("model.reads")
    return (
        stored
        if not isinstance(read, Mapping)
        else {**stored, "model.reads": {name: value for name, value in read.items() if name not in own}}
    )


def same(key: str, then: object, now: object) -> bool:
    """Whether a key has the value that it had.

    Earlier releases counted pixels where the tags of a microscope's file, or coordinates without a CRS, say more of the
    place, and took no origin from an OME-Zarr: no pixel changed by that.
    """
    if (
        key == "source.grid"
        and isinstance(then, Mapping)
        and isinstance(now, Mapping)
        and now.get("crs") is None
        and (unplaced(then) or (now.get("unit") == "um" and moved_from_corner(then, now)))
    ):
        return all(then.get(name) == now.get(name) for name in ("height", "width"))
    return then == now


def unplaced(grid: Mapping[str, Any]) -> bool:
    """Whether a grid of a fingerprint counts nothing but pixels."""
    return grid.get("unit") == "px" and grid.get("transform") == list(Grid(height=1, width=1).transform)


def moved_from_corner(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a grid of a fingerprint counts from its own corner, and is another one with an origin for the rest."""
    without_origin = [0.0 if place in (2, 5) else number for place, number in enumerate(now.get("transform") or ())]
    return then.get("transform") == without_origin and then.get("unit") == now.get("unit")


def input_identity(source: Source, areas: SourceAreas, network: Network, redact: bool = False) -> Fingerprint:
    """What a job is made of: the source, the areas that are inferred, and the network.

    With ``redact``, where the source lies and since when are stand-ins: a plain hash of a path and a time could be
    guessed.
    """
    sections = {
        "source": {"warp": None, **source.identity(), **areas.identity()},
        "model": network.identity(),
    }
    identity = {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
    if not redact:
        return identity
    return {key: stand_in(value) if is_move(key) else value for key, value in identity.items()}


def _difference(key: str, then: object, now: Fingerprint) -> str:
    """How a key differs: of the items of a search, which came and which went."""
    was, here = differing_parts(then, now[key])
    difference = f"{config_key(key)}{_of_source(key, now)} was {_short(was)} and is now {_short(here)}"
    return item_changes(key, then, now[key]) or difference


def item_changes(key: str, then: object, now: object) -> str:
    """Which items of a search were added and which are gone, as a message says it; empty of any other key."""
    if key != ITEMS or not isinstance(then, list) or not isinstance(now, list):
        return ""
    changes = [f"{name} was added" for name in now if name not in then]
    changes += [f"{name} is gone" for name in then if name not in now]
    more = f" and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    return f"the search of source.path gives other items now: {', '.join(changes[:MAX_CHANGES])}{more}"


def _of_source(key: str, now: Fingerprint) -> str:
    """Which source of a stack, or of an input, a key is of, in words; nothing of other keys."""
    of_part = re.match(r"(source\.path\.\d+)\.(?!path$)", key)
    of_input = IDENTITY_KEY.fullmatch(key)
    section = of_part[1] if of_part else f"source.inputs.{of_input['name']}" if of_input else ""
    path = now.get(f"{section}.path") if section and key != f"{section}.path" else None
    return f", of {path}," if path else ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
