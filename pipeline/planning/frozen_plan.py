"""A plan that was frozen: taken up where there is no store yet, and kept to by whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config import Config, FrozenPlanConfig
from pipeline.errors import ConfigError, StoreError
from pipeline.inference.recipe import MEMORY_FORMATS
from pipeline.interfaces import Locality
from pipeline.locations import Place
from pipeline.planning import memory
from pipeline.planning.fingerprint import (
    DEFAULTS_OF_OLD_STORES,
    OPTIONAL_REMOTE_KEYS,
    Fingerprint,
    config_key,
    differing,
    is_move,
    item_changes,
)
from pipeline.planning.option import Resolved, locked_values
from pipeline.planning.options import OPTIONS, RECIPE_OPTIONS
from pipeline.planning.options.dates import FROZEN_PLANS
from pipeline.planning.types import TilePlan
from pipeline.runtime.backends import backend_of
from pipeline.runtime.device import torch_device
from pipeline.runtime.record_files import torch_release

EXPLANATIONS = {"why", "tolerated"}
"""Fields of the tiles that explain how they were chosen, and decide nothing."""
FROZEN_KEYS = ("tiles", "costs", "recipe", "fingerprint", "locality", "levels", "versions")
"""Keys of a store's root that a frozen plan holds."""

Stored = dict[str, Any]
"""What a store says of itself, as far as a plan is made of it."""


def plan_to_reuse(config: Config, stored: Stored | None) -> Stored | None:
    """What the plan is taken up from: the store, else the lock; None where it is to be made.

    Parameters
    ----------
    config
        With a section ``locked``, or without.
    stored
        What the store says of itself, where it is there already.

    Raises
    ------
    ConfigError
        The section is damaged.
    StoreError
        The store was made by another plan than the one that is locked.
    """
    if config.locked is None:
        return stored
    held = _usable(config.locked)
    if stored is None:
        return held
    _same_plan(_decided(stored), _decided(held), config.output.path)
    return stored


def locality(locked: FrozenPlanConfig, things: Fingerprint, device: str, moved: bool = False) -> Locality:
    """What was measured of the network when its plan was frozen, if it still is that network.

    Parameters
    ----------
    locked
        The frozen plan.
    things
        The source, area and network that are there now, as the fingerprint has them.
    device
        Kind of device that is there now.
    moved
        Whether the source may lie elsewhere, or have been written anew: where its pixels decide, or are known to be the
        same.

    Raises
    ------
    ConfigError
        One of them is another one.
    """
    _keep({"execution.device": locked.device, **locked.fingerprint}, {"execution.device": device, **things}, moved)
    return Locality.of(locked.locality)


def require_same_plan(resolved: Resolved, requested: Fingerprint, levels: int, moved: bool = False) -> None:
    """Raise ConfigError where a config with a frozen plan wants anything that would change a byte of the store.

    Parameters
    ----------
    resolved
        What the options are read from, with a config that has the section ``locked``.
    requested
        All that the config insists on, as the fingerprint has it.
    levels
        Full resolution and overviews that it asks for.
    moved
        As for `locality`.
    """
    locked = resolved.config.locked
    assert locked is not None, "asked only of a config with a frozen plan"
    now = {**requested, **locked_values(OPTIONS, resolved), "output.pyramid": _levels(levels)}
    _keep({**locked.fingerprint, "output.pyramid": _levels(locked.levels)}, now, moved)


def environment_differences(locked: FrozenPlanConfig | None, device: str) -> Iterator[str]:
    """What is otherwise here than where a plan was frozen and may round otherwise, in words."""
    if locked is None:
        return
    here = {
        "torch": (locked.versions.get("torch"), torch_release()),
        "hardware": (locked.hardware, hardware(device)),
    }
    for name, (then, now) in here.items():
        if then and _differs(then, now):
            yield (
                f"the plan was frozen with {name} {then} and runs with {now}: sums may round otherwise in "
                f"their last bits, and labels where classes tie"
            )


def _differs(then: str, now: str) -> bool:
    """Whether two releases differ; the build after a plus counts where both name one."""
    if ("+" in then) != ("+" in now):
        return then.partition("+")[0] != now.partition("+")[0]
    return then != now


def hardware(device: str) -> str:
    """What the device computes with: the instructions of the CPU that torch uses, or the name of the GPU."""
    chosen = torch_device(device)
    return backend_of(chosen).hardware(chosen)


def _usable(locked: FrozenPlanConfig) -> Stored:
    """The frozen plan in the words of a store."""
    recipe = locked.recipe
    try:
        TilePlan.of(locked.tiles), memory.MemoryCosts(**locked.costs), Locality.of(locked.locality)
        lacking = {option.name for option in RECIPE_OPTIONS if option.since <= FROZEN_PLANS} - recipe.keys()
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigError(_damaged(str(error))) from error
    if lacking or recipe["memory_format"] not in MEMORY_FORMATS:
        raise ConfigError(
            _damaged(
                f"locked.recipe lacks {', '.join(sorted(lacking))}"
                if lacking
                else f"locked.recipe.memory_format is none of {', '.join(MEMORY_FORMATS)}"
            )
        )
    return {
        "tiles": locked.tiles,
        "costs": locked.costs,
        "recipe": recipe,
        "fingerprint": locked.fingerprint,
        "levels": locked.levels,
        **({"tissue": locked.tissue} if locked.tissue else {}),
    }


def _damaged(why: str) -> str:
    return (
        f"The section locked of the config is no plan of this release ({why}), so that it would be "
        f"decided anew. Freeze it again with `plan --freeze`."
    )


def _decided(said: Stored) -> Fingerprint:
    """All that decides a byte of a store, flat."""
    tiles = {f"tiles.{key}": value for key, value in said["tiles"].items() if key not in EXPLANATIONS}
    recipe = {f"recipe.{key}": value for key, value in said["recipe"].items()}
    return {**DEFAULTS_OF_OLD_STORES, **said["fingerprint"], **tiles, **recipe, "levels": said.get("levels")}


def _same_plan(stored: Fingerprint, held: Fingerprint, path: Place) -> None:
    if keys := _beyond_moves(
        differing(held, {**{key: None for key in held if key not in OPTIONAL_REMOTE_KEYS}, **stored})
    ):
        said = _listed(
            [
                f"{config_key(key)} is {_short(stored.get(key))} in the store and locked at {_short(held.get(key))}"
                for key in keys
            ]
        )
        raise StoreError(
            f"{path} was made by another plan than the one that is locked: {said}. Give another "
            f"output.path, run the config that the store was made by, "
            "or run with --fresh, which deletes the store and starts over."
        )


def _beyond_moves(keys: list[str]) -> list[str]:
    """Without those of a raster that lies elsewhere: of a store that is there, its pixels decide."""
    return [key for key in keys if not is_move(key)]


def _keep(held: Fingerprint, now: Fingerprint, moved: bool) -> None:
    held, keys = {**DEFAULTS_OF_OLD_STORES, **held}, differing(held, now)
    if keys := _beyond_moves(keys) if moved else keys:
        said = _listed(
            [
                item_changes(key, held.get(key), now.get(key))
                or f"{config_key(key)} is locked at {_short(held.get(key))} and would be {_short(now.get(key))}"
                for key in keys
            ]
        )
        raise ConfigError(
            f"The plan of this config is frozen, but {said}. It runs on the source and the network that it "
            f"was frozen with, and only what changes no byte may "
            f"be set anew (path, engine, workers, memory, retries, certificate, names and colours). {_remedy(keys)}"
        )


def _remedy(keys: list[str]) -> str:
    same = "" if _beyond_moves(keys) else "run with --same-source if its pixels are the same, "
    return f"Undo the change, {same}or freeze another plan with `plan --freeze`."


def _listed(said: list[str]) -> str:
    return "; ".join(said[:3]) + (f" (and {len(said) - 3} more)" if len(said) > 3 else "")


def _levels(count: int) -> str:
    return f"{count} levels"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
