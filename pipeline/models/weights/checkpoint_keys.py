"""From what a weights file holds to the entries that a network wants: nests opened, prefixes taken off, losses left out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.weights.torch_pickle import Inert, Lazy

NESTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "network_weights", "module", "weights")
"""Entries under which trainers keep the network, in the order in which they are looked for."""
WRAPPERS = ("model", "net", "network", "module", "_orig_mod")
"""Words that trainers, DistributedDataParallel and torch.compile put before every key."""
INNER = ("module", "_orig_mod")
"""Those of them that are also put between parts of a network."""
ASIDE = re.compile(r"(\w+_)?(criterion|criteria|loss|losses|metric|metrics)(_\w+|\d+)?")
"""First word of keys that belong to training."""
COUNTER = "num_batches_tracked"
"""Not in state dicts written before torch 0.4.1, and of no use after training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How names of a file become names of a network."""

    names: dict[str, str]
    """A name of the file by the network's."""
    off: str
    """What is taken off the file's names."""
    on: str
    """What is put before them."""
    inner: bool = False
    """Whether wrappers' words between parts do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which entries of a file a network takes."""

    entries: dict[str, Lazy | torch.Tensor]
    """By the network's own names."""
    notes: tuple[str, ...]
    """What was opened, taken off and left out."""


def choose(held: Any, wanted: Mapping[str, torch.Tensor], path: Path, unused: tuple[str, ...] = ()) -> Choice:
    """Find a network's weights in what a file holds.

    Parameters
    ----------
    held
        A state dict, or what a trainer wrapped around one.
    wanted
        The network's own state dict.
    path
        The file, for messages.
    unused
        Beginnings of keys that the network does without, after the prefix.

    Raises
    ------
    ModelError
        There is no state dict, a key is missing or is not a part of the network, or a shape differs.
    """
    state, where, beside = unwrap(held, path)
    match = _match(state, wanted)
    names, prefix = match.names, match.off
    counters = {name for name in wanted if name.endswith(COUNTER) and name not in names}
    used = {names[name] for name in wanted.keys() & names.keys()}
    aside = sorted(name for name in state if name not in used and _aside(name, prefix, unused))
    missing = sorted(wanted.keys() - names.keys() - counters)
    extra = sorted(state.keys() - used - set(aside))
    if missing or extra:
        raise ModelError(f"model.path {path} does not fit the network: {_explain(missing, extra)}. Give the weights of this network, or change model.args.")
    entries = {name: state[names[name]] for name in wanted if name in names}
    _check(entries, wanted, path)
    return Choice(entries=entries, notes=_notes(where, match, aside, beside))


def unwrap(held: Any, path: Path) -> tuple[dict[str, Any], str, list[str]]:
    """The state dict, the names it lies under, and what lies beside it.

    Raises
    ------
    ModelError
        There is no state dict.
    """
    where: list[str] = []
    beside: list[str] = []
    while isinstance(held, Mapping) and len(where) < 3:
        name = next((name for name in NESTS if isinstance(held.get(name), Mapping) and held[name]), None)
        if name is None:
            break
        where, beside, held = [*where, name], [*beside, *(str(other) for other in held if other != name)], held[name]
    if isinstance(held, Mapping) and any(isinstance(value, Lazy | torch.Tensor) for value in held.values()):
        return {str(name): value for name, value in held.items()}, ".".join(where), beside
    raise ModelError(_nothing(held, path))


def _nothing(held: Any, path: Path) -> str:
    whole = next((value for value in (held, *(held.values() if isinstance(held, Mapping) else ())) if isinstance(value, Inert)), None)
    if whole is not None and (held is whole or any(held.get(name) is whole for name in NESTS)):
        return f"model.path {path} holds a pickled {whole.said}, which cannot be rebuilt without executing code. Save its state_dict() alone."
    inside = f" with {', '.join(map(str, list(held)[:5]))}" if isinstance(held, Mapping) else ""
    return f"model.path {path} holds {type(held).__name__}{inside}, in which there is no state dict of tensors. Save the network's state_dict()."


def _match(names: Collection[str], keys: Collection[str]) -> Match:
    """With the shortest prefixes of wrappers' words, off the file's names and before them, by which every wanted key is there.

    Where none are, wrappers' words between parts are passed over; where that does not help either, the prefixes of the most, for the message.
    """
    plain = _prefixed(names, keys)
    if _lacking(plain, keys):
        in_network, in_file = ({_without_inner(name): name for name in several} for several in (keys, names))
        match = _prefixed(in_file, in_network)
        if len(in_network) == len(keys) and len(in_file) == len(names) and not _lacking(match, in_network):
            return Match(names={in_network[name]: in_file[other] for name, other in match.names.items() if name in in_network}, off="", on="", inner=True)
    return plain


def _prefixed(names: Collection[str], keys: Collection[str]) -> Match:
    needed = [name for name in keys if not name.endswith(COUNTER)]
    offs, ons = ({"", *(prefix for name in several for prefix in _leading(name))} for several in (names, needed))
    pairs = [(off, on) for off in offs for on in ons if all(name.startswith(on) for name in needed)]
    pairs.sort(key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    off, on = max(pairs, key=lambda pair: sum(pair[0] + name.removeprefix(pair[1]) in names for name in needed))
    return Match(names={on + name.removeprefix(off): name for name in names if name.startswith(off)}, off=off, on=on)


def _lacking(match: Match, keys: Collection[str]) -> bool:
    return any(name not in match.names for name in keys if not name.endswith(COUNTER))


def _without_inner(name: str) -> str:
    return ".".join(word for word in name.split(".") if word not in INNER)


def _leading(name: str) -> list[str]:
    words = list(takewhile(lambda word: word in WRAPPERS, name.split(".")[:-1]))
    return ["".join(f"{word}." for word in words[: k + 1]) for k in range(len(words))]


def _aside(name: str, prefix: str, unused: tuple[str, ...]) -> bool:
    return name.removeprefix(prefix).startswith(unused) or any(ASIDE.fullmatch(key.partition(".")[0]) for key in (name, name.removeprefix(prefix)))


def _check(entries: Mapping[str, Any], wanted: Mapping[str, torch.Tensor], path: Path) -> None:
    for name, entry in entries.items():
        if not isinstance(entry, Lazy | torch.Tensor):
            raise ModelError(f"model.path {path} holds {type(entry).__name__} as {name}, not a plain tensor. Save it dense and unquantised.")
        if tuple(entry.shape) != tuple(wanted[name].shape):
            raise ModelError(
                f"model.path {path} does not fit the network: {name} is {tuple(entry.shape)} in the file and {tuple(wanted[name].shape)} in the "
                "network (the first two numbers are outputs and inputs: classes and bands). Change model.args or source.bands."
            )


def _explain(missing: list[str], extra: list[str]) -> str:
    said = []
    for name in missing[:3]:
        near = difflib.get_close_matches(name, extra, 1)
        said.append(f"{name} is missing" + (f" (nearest in the file: {near[0]})" if near else ""))
    said += [f"{name} is not a part of it" for name in extra[:3]]
    more = len(missing) + len(extra) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _notes(where: str, match: Match, aside: list[str], beside: list[str]) -> tuple[str, ...]:
    said = [f"weights taken from {where}"] if where else []
    said += [f"prefix {match.off} taken off the keys"] if match.off else []
    said += [f"prefix {match.on} put before the keys"] if match.on else []
    said += [f"{' and '.join(INNER)} passed over in the keys"] if match.inner else []
    said += [f"not used: {_few(aside)}"] if aside else []
    return (*said, *([f"not read: {_few(beside)}"] if beside else []))


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def bare(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of a state dict without losses, and without the wrappers' words that stand before all of their keys."""
    kept = {name: entry for name, entry in state.items() if isinstance(entry, Lazy | torch.Tensor) and not ASIDE.fullmatch(name.partition(".")[0])}
    firsts = {name.partition(".")[0] for name in kept}
    if len(firsts) == 1 and firsts <= set(WRAPPERS) and all("." in name for name in kept):
        return bare({name.partition(".")[2]: entry for name, entry in kept.items()})
    return kept
