"""What changes pixels, and nothing else: a store is resumed only under the same fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.config import Config, ToleranceConfig
from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.geometry.span import round_up
from pipeline.inference.decode import ClassDecoding
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Network, Source
from pipeline.locations import Place
from pipeline.planning.candidates import blend_size, blend_step
from pipeline.planning.types import TilePlan
from pipeline.redact import redacted_document

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area

Fingerprint = dict[str, Any]

BEFORE: Fingerprint = {
    "tile.batch": 1, "tile.augment": "none", "tile.pad": "none", "tile.tolerance": None, "source.aoi": None, "output.min_confidence": 0.0,
    "output.probabilities_dtype": "uint8", "output.probabilities_codes": None, "execution.fold": False,
    "execution.compile": False, "source.as": [], "model.revision": 1,
    "model.input.transform": None,
}  # fmt: skip
"""What held for stores that were made before there was a choice."""
UNSAID = {
    "source.etag", "source.size", "source.modified", "source.chunks", "model.key", "model.tensors", "model.code", "model.reads", "model.encoders",
}  # fmt: skip
"""What a server may leave out, or nobody asked for when the store was made; and what stores of before do not know of their network."""
INSTEAD = {"model.sha256": "model.tensors", "model.source": "model.code"}
"""What stores of before know in the place of what is known since: a file that was saved again holds the same tensors."""
MOVED = {"source.path", "source.files", "source.chunks", "source.etag", "source.modified"}
"""Where a raster lies, and since when: its pixels may be the same all the same."""


def of(source: Source, area: Area | None, network: Network, recipe: Recipe, tiles: TilePlan, config: Config) -> Fingerprint:
    """Everything resolved, as flat keys with plain values."""
    return {
        **_identity(source, area, network, recipe),
        "tile.size": tiles.size,
        "tile.halo": tiles.halo,
        "tile.exact": tiles.exact,
        "tile.tolerance": tiles.tolerated.tolerance if tiles.tolerated else None,
        "tile.step": tiles.step,
        "tile.taper": tiles.taper,
        "tile.blend": tiles.blend,
        "tile.batch": tiles.batch,
        "tile.augment": tiles.augment,
        "tile.pad": tiles.pad,
        "output.block": tiles.block,
        "output.shard": tiles.shard,
        "output.chunk": tiles.chunk,
        "output.zarr_format": config.output.zarr_format,
        **_layers(recipe),
        "output.nodata": recipe.nodata,
        "execution.precision": recipe.precision,
        "execution.fold": recipe.fold,
        "execution.compile": recipe.compile,
    }


def wanted(source: Source, area: Area | None, network: Network, recipe: Recipe, config: Config, tiles: TilePlan) -> Fingerprint:
    """What the config insists on: ``auto`` takes whatever the store was made with, so it is left out."""
    tile, output = config.tile, config.output
    asked: Fingerprint = {
        "tile.size": _size(config, network, tiles) if recipe.overlapping else tile.size,
        "tile.step": "auto" if tile.overlap == "auto" else blend_step(tiles.size, tile.overlap, tiles.multiple) if tile.overlap else 0,
        "tile.taper": tile.taper,
        "tile.blend": tile.blend if recipe.overlapping or tile.augment != "none" else "auto",
        "tile.batch": tile.batch if recipe.overlapping else "auto",
        "tile.augment": tile.augment,
        "tile.pad": tile.pad,
        "output.block": output.block,
        "output.shard": None if output.shard == "none" else output.shard,
        "output.chunk": output.chunk,
        "output.zarr_format": output.zarr_format,
        "output.nodata": output.nodata,
        "execution.precision": config.execution.precision,
        "execution.fold": config.execution.fold and "auto",
        "execution.compile": config.execution.compile,
        "tile.halo": round_up(tile.halo, tiles.multiple) if isinstance(tile.halo, int) else "auto",
        "tile.exact": True if tile.halo == "exact" else "auto",
        "tile.tolerance": tile.halo.tolerance if isinstance(tile.halo, ToleranceConfig) and tile.overlap in ("auto", 0) else "auto",
    }
    fixed = {key: value for key, value in asked.items() if value != "auto"}
    return {**_identity(source, area, network, recipe), **fixed, **_layers(recipe)}


def _size(config: Config, network: Network, tiles: TilePlan) -> int | str:
    """What blended tiles would have, where anything says so."""
    trained = config.model.input.size if config.model.input else None
    asked = trained if config.tile.size == "auto" else config.tile.size
    return "auto" if asked is None else blend_size(asked, tiles.multiple, tiles.minimum, network.accepts.maximum)


def completed(meta: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint that a store says, with what stores of before say elsewhere in their root."""
    part: Any = meta
    for name in ("config", "model", "output", "key"):
        part = part.get(name) if isinstance(part, Mapping) else None
    return {**({"model.key": part} if isinstance(part, str) else {}), **meta["fingerprint"]}


def differing(then: Mapping[str, Any], now: Fingerprint) -> list[str]:
    """Keys of what is wanted now that were otherwise; what could not be known then is no difference."""
    then = without_own_sources({**BEFORE, **redacted_document(dict(then))})
    passed_over = (UNSAID - then.keys()) | {old for old, new in INSTEAD.items() if new in then and new in now}
    return [key for key, value in now.items() if not same(key, then.get(key), value) and key not in passed_over]


def compare(stored: Mapping[str, Any], now: Fingerprint, path: Place) -> bool:
    """Raise StoreError where the store was made under another fingerprint.

    Returns
    -------
    bool
        Whether the source lies elsewhere, or was written anew, and nothing else differs: then its pixels decide.
    """
    keys = differing(stored, now)
    if set(keys) <= MOVED:
        return bool(keys)
    stored = {**BEFORE, **redacted_document(dict(stored))}
    said = "; ".join(f"{key} was {_short(stored.get(key))} and is now {_short(now[key])}" for key in keys[:3])
    more = f" (and {len(keys) - 3} more)" if len(keys) > 3 else ""
    raise StoreError(
        f"{path} was made by another job: {said}{more}. Resuming would mix two results in one store. Undo the change, give another "
        "output.path, or run with --fresh, which deletes the store and starts over."
    )


def without_own_sources(stored: Fingerprint) -> Fingerprint:
    """A fingerprint whose network read no source of the package: earlier releases noted those that Python compiled while it imported a factory."""
    own = {f"{module.rpartition('.')[2]}.py" for module in stored.get("model.code") or {} if module.startswith("pipeline.")}
    read = stored.get("model.reads")
    return stored if not isinstance(read, Mapping) else {**stored, "model.reads": {name: value for name, value in read.items() if name not in own}}


def same(key: str, then: object, now: object) -> bool:
    """Whether a key has the value that it had.

    Earlier releases counted pixels where the tags of a microscope's file, or coordinates without a CRS, say more of the place: no pixel changed by that.
    """
    if key == "source.grid" and isinstance(then, Mapping) and isinstance(now, Mapping) and unplaced(then) and now.get("crs") is None:
        return all(then.get(name) == now.get(name) for name in ("height", "width"))
    return then == now


def unplaced(grid: Mapping[str, Any]) -> bool:
    """Whether a grid of a fingerprint counts nothing but pixels."""
    return grid.get("unit") == "px" and grid.get("transform") == list(Grid(height=1, width=1).transform)


def things(source: Source, area: Area | None, network: Network) -> Fingerprint:
    """What a job is made of: the source, what is asked for of it, and the network."""
    return _flat({"source": {**source.identity(), "aoi": area.digest if area else None}, "model": network.identity()})


def _identity(source: Source, area: Area | None, network: Network, recipe: Recipe) -> Fingerprint:
    said = {
        "model.input": recipe.normalisation.as_dict(),
        "model.output": {"activation": _activation(recipe.decoding), "threshold": _threshold(recipe.decoding)},
        "model.classes": {"codes": list(recipe.decoding.codes)},
    }
    return {**things(source, area, network), **_flat(said)}


def _flat(said: Mapping[str, Mapping[str, Any]]) -> Fingerprint:
    return {f"{name}.{key}": value for name, part in said.items() for key, value in part.items()}


def _layers(recipe: Recipe) -> Fingerprint:
    how, asked = recipe.decoding, "probabilities" in recipe.layers
    return {
        "output.layers": sorted(recipe.layers),
        "output.min_confidence": recipe.min_confidence,
        "output.probabilities_dtype": recipe.probabilities if asked else BEFORE["output.probabilities_dtype"],
        "output.probabilities_codes": [how.codes[k] for k in how.outcomes] if asked else BEFORE["output.probabilities_codes"],
    }


def _threshold(how: ClassDecoding) -> float | list[float]:
    return list(how.threshold) if isinstance(how.threshold, tuple) else how.threshold


def _activation(how: ClassDecoding) -> str:
    """One word for what turns channels into a class, so that stores made before there was a choice keep theirs."""
    return how.activation if how.background is None else f"{how.activation} of each class, else code {how.codes[how.background]}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
