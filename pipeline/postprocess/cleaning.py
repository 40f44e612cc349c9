"""The layer ``cleaned`` of a store, made of its mask, its steps and nothing else: neither network nor source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from pipeline.config.postprocess import StepConfig
from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.interfaces import Engine
from pipeline.locations import Place, Remote
from pipeline.objects.mask import Mask, store_blocks
from pipeline.objects.scratch_folder import scratch_folder
from pipeline.postprocess.steps import Step, resolve_steps
from pipeline.store import cleaned, overviews
from pipeline.store.check_arrays import array_errors
from pipeline.store.lease.lease import assert_held
from pipeline.store.ledger import commit_block, drop_records_of_missing_chunks
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.reader import open_store
from pipeline.store.spec import StoreSpec

STEPS_REVISION = 1
"""Of what the steps mean; part of the fingerprint."""

_Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """How the layer is made."""

    given: tuple[StepConfig, ...]
    """Steps as a config has them."""
    steps: tuple[Step, ...]
    """The same with nothing left open."""
    is_stored: bool
    """Whether the store names the steps, and the config does not."""
    mask: Mapping[str, Any]
    """What identifies the mask."""

    @property
    def sentence(self) -> str:
        """All steps, in words."""
        return "; ".join(step.sentence for step in self.steps)

    @property
    def fingerprint(self) -> str:
        """Digest of all that decides the pixels of the layer."""
        document = {"revision": STEPS_REVISION, "steps": [asdict(step) for step in self.steps], "mask": dict(self.mask)}
        return blake2b(json.dumps(document, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()

    @property
    def entry(self) -> dict[str, Any]:
        """What the root of the store says of the layer."""
        return {
            "steps": [step.model_dump(mode="json") for step in self.given],
            "resolved": [asdict(step) for step in self.steps],
            "fingerprint": self.fingerprint,
        }


def resolve_cleaning(
    given: Sequence[StepConfig] | None, meta: Mapping[str, Any] | None, fingerprint: Mapping[str, Any], spec: StoreSpec
) -> Cleaning | None:
    """How a store's layer is made.

    Parameters
    ----------
    given
        Steps that are asked for; None where nobody says.
    meta
        What the root of the store says; None where there is no store yet.
    fingerprint
        Of the store.
    spec
        Of the store.

    Returns
    -------
    Cleaning or None
        By the steps that are asked for, else by those that the store names; None where there are none.

    Raises
    ------
    ConfigError
        The steps do not suit the raster or the classes.
    """
    stored = (meta or {}).get(cleaned.ROOT_KEY)
    steps = given if given is not None else [StepConfig(**step) for step in stored["steps"]] if stored else None
    if steps is None:
        return None
    return Cleaning(
        given=tuple(steps),
        steps=resolve_steps(steps, spec),
        is_stored=given is None,
        # a source may be moved; one with other pixels makes another store
        mask={key: value for key, value in fingerprint.items() if not key.startswith("source.")},
    )


def is_layer_current(path: Place, spec: StoreSpec, cleaning: Cleaning, block: int | None) -> bool:
    """Whether the layer is whole, and made by these steps; ``block`` is that of `overviews.levels`."""
    if not _is_begun(path, spec, cleaning) or next(cleaned.missing_blocks(path), None):
        return False
    return not any(True for level in overviews.levels(path, spec.cleaned, block) for _ in level.missing())


def make_cleaned(
    path: Place,
    spec: StoreSpec,
    cleaning: Cleaning,
    say: _Say,
    *,
    engine: Engine = map,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> bool:
    """Make what is missing of the layer, with its overviews; all of it where its steps are others.

    Stopped anywhere and begun again, it gives the same bytes.

    Parameters
    ----------
    path, spec
        A store that is held, whose blocks are all committed.
    cleaning
        How the layer is made.
    say
        Told of each step.
    engine
        Runs the blocks of overviews.
    progress
        Told of these.

    Returns
    -------
    bool
        Whether anything was written.
    """
    meta = read_store_meta(path, "tiles")
    side = int(meta["tiles"]["block"])
    block = side if "asked" in meta else None
    if is_layer_current(path, spec, cleaning, block):
        return False
    if not _is_begun(path, spec, cleaning):
        cleaned.begin_cleaned(path, spec, cleaning.entry)
    elif not isinstance(path, Remote):
        for level in range(spec.levels):
            drop_records_of_missing_chunks(path, level, layer="cleaned")
    if next(cleaned.missing_blocks(path), None) is not None:
        _make_blocks(path, spec, cleaning, side, say)
    overviews.build_overviews(path, spec.cleaned, progress, engine, block)
    return True


def _is_begun(path: Place, spec: StoreSpec, cleaning: Cleaning) -> bool:
    """Whether the records that are there are of these steps, and the arrays are as they should be."""
    return cleaned.recorded_fingerprint(path) == cleaning.fingerprint and not any(
        True for level in range(spec.levels) for _ in array_errors(path, spec.cleaned, level)
    )


def _make_blocks(path: Place, spec: StoreSpec, cleaning: Cleaning, side: int, say: _Say) -> None:
    # most jobs clean nothing
    from pipeline.postprocess.passes import apply_steps

    check = partial(assert_held, path)
    with scratch_folder(path, "cleaned") as scratch:
        blocks = store_blocks(open_store(path))
        mask = apply_steps(cleaning.steps, blocks, spec.grid, spec.dtype, scratch, say, check)
        for position in list(cleaned.missing_blocks(path)):
            window = cleaned.block_window(spec, side, position)
            _copy(mask, path, spec, window)
            check()
            commit_block(path, 0, position, window, ("cleaned",), {})


def _copy(mask: Mask, path: Place, spec: StoreSpec, window: Window) -> None:
    """Write a block, one row of storage units at a time."""
    array = open_layer(path, 0, "cleaned")
    for rows in cut(window.height, spec.storage_unit_px):
        strip = Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)
        array[strip.slices] = np.asarray(mask.read(strip))


def stored_cleaning(spec: StoreSpec, meta: Mapping[str, Any]) -> Cleaning | None:
    """How the layer of a store is made by the store's own word: by its root, else by the config in it."""
    given = meta["config"]["output"].get("postprocess")
    steps = None if cleaned.ROOT_KEY in meta or given is None else [StepConfig(**step) for step in given]
    return resolve_cleaning(steps, meta, meta["fingerprint"], spec)
