"""From what a weights file holds to the entries that a network wants.

Nests opened, prefixes taken off, losses left out.
"""

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

STATE_DICT_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "network_weights",
    "module",
    "weights",
)
"""Entries under which trainers keep the network, in the order in which they are looked for."""
WRAPPERS = ("model", "net", "network", "module", "_orig_mod")
"""Words that trainers, DistributedDataParallel and torch.compile put before every key."""
INNER = ("module", "_orig_mod")
"""Those of them that are also put between parts of a network."""
TRAINING_ONLY = re.compile(r"(\w+_)?(criterion|criteria|loss|losses|metric|metrics)(_\w+|\d+)?")
"""First word of keys that belong to training."""
BATCH_NORM_COUNTER = "num_batches_tracked"
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


def select_entries(
    content: Any, expected: Mapping[str, torch.Tensor], path: Path, unused: tuple[str, ...] = ()
) -> Choice:
    """Find a network's weights in what a file holds.

    Parameters
    ----------
    content
        A state dict, or what a trainer wrapped around one.
    expected
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
    state, where, siblings = unwrap(content, path)
    match = _match(state, expected)
    names, prefix = match.names, match.off
    counters = {name for name in expected if name.endswith(BATCH_NORM_COUNTER) and name not in names}
    used_names = {names[name] for name in expected.keys() & names.keys()}
    ignored = sorted(name for name in state if name not in used_names and _is_ignored(name, prefix, unused))
    missing = sorted(expected.keys() - names.keys() - counters)
    extra = sorted(state.keys() - used_names - set(ignored))
    if missing or extra:
        raise ModelError(
            f"model.path {path} does not fit the network: {_explain(missing, extra)}. Give the weights of "
            f"this network, or change model.args."
        )
    entries = {name: state[names[name]] for name in expected if name in names}
    _check(entries, expected, path)
    return Choice(entries=entries, notes=_notes(where, match, ignored, siblings))


def unwrap(content: Any, path: Path) -> tuple[dict[str, Any], str, list[str]]:
    """The state dict, the names it lies under, and what lies beside it.

    Raises
    ------
    ModelError
        There is no state dict.
    """
    where: list[str] = []
    siblings: list[str] = []
    while isinstance(content, Mapping) and len(where) < 3:
        name = next(
            (name for name in STATE_DICT_KEYS if isinstance(content.get(name), Mapping) and content[name]), None
        )
        if name is None:
            break
        where, siblings, content = (
            [*where, name],
            [*siblings, *(str(other) for other in content if other != name)],
            content[name],
        )
    if isinstance(content, Mapping) and any(isinstance(value, Lazy | torch.Tensor) for value in content.values()):
        return {str(name): value for name, value in content.items()}, ".".join(where), siblings
    raise ModelError(_no_state_dict(content, path))


def _no_state_dict(content: Any, path: Path) -> str:
    whole = next(
        (
            value
            for value in (content, *(content.values() if isinstance(content, Mapping) else ()))
            if isinstance(value, Inert)
        ),
        None,
    )
    if whole is not None and (content is whole or any(content.get(name) is whole for name in STATE_DICT_KEYS)):
        return (
            f"model.path {path} holds a pickled {whole.said}, which cannot be rebuilt without executing "
            f"code. Save its state_dict() alone."
        )
    inside = f" with {', '.join(map(str, list(content)[:5]))}" if isinstance(content, Mapping) else ""
    return (
        f"model.path {path} holds {type(content).__name__}{inside}, in which there is no state dict of "
        f"tensors. Save the network's state_dict()."
    )


def _match(names: Collection[str], keys: Collection[str]) -> Match:
    """With the shortest prefixes of wrappers' words by which every wanted key is there.

    Prefixes are taken off the file's names, or put before them.

    Where none are, wrappers' words between parts are passed over; where that does not help either, the prefixes of the
    most, for the message.
    """
    direct = _prefixed(names, keys)
    if _lacking(direct, keys):
        in_network, in_file = ({_without_inner(name): name for name in collection} for collection in (keys, names))
        match = _prefixed(in_file, in_network)
        if len(in_network) == len(keys) and len(in_file) == len(names) and not _lacking(match, in_network):
            return Match(
                names={in_network[name]: in_file[other] for name, other in match.names.items() if name in in_network},
                off="",
                on="",
                inner=True,
            )
    return direct


def _prefixed(names: Collection[str], keys: Collection[str]) -> Match:
    required = [name for name in keys if not name.endswith(BATCH_NORM_COUNTER)]
    offs, ons = (
        {"", *(prefix for name in collection for prefix in _leading(name))} for collection in (names, required)
    )
    pairs = [(off, on) for off in offs for on in ons if all(name.startswith(on) for name in required)]
    pairs.sort(key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    off, on = max(pairs, key=lambda pair: sum(pair[0] + name.removeprefix(pair[1]) in names for name in required))
    return Match(names={on + name.removeprefix(off): name for name in names if name.startswith(off)}, off=off, on=on)


def _lacking(match: Match, keys: Collection[str]) -> bool:
    return any(name not in match.names for name in keys if not name.endswith(BATCH_NORM_COUNTER))


def _without_inner(name: str) -> str:
    return ".".join(word for word in name.split(".") if word not in INNER)


def _leading(name: str) -> list[str]:
    parts = list(takewhile(lambda word: word in WRAPPERS, name.split(".")[:-1]))
    return ["".join(f"{word}." for word in parts[: k + 1]) for k in range(len(parts))]


def _is_ignored(name: str, prefix: str, unused: tuple[str, ...]) -> bool:
    return name.removeprefix(prefix).startswith(unused) or any(
        TRAINING_ONLY.fullmatch(key.partition(".")[0]) for key in (name, name.removeprefix(prefix))
    )


def _check(entries: Mapping[str, Any], expected: Mapping[str, torch.Tensor], path: Path) -> None:
    for name, entry in entries.items():
        if not isinstance(entry, Lazy | torch.Tensor):
            raise ModelError(
                f"model.path {path} holds {type(entry).__name__} as {name}, not a plain tensor. Save it "
                f"dense and unquantised."
            )
        if tuple(entry.shape) != tuple(expected[name].shape):
            raise ModelError(
                f"model.path {path} does not fit the network: {name} is {tuple(entry.shape)} in the file "
                f"and {tuple(expected[name].shape)} in the "
                "network (the first two numbers are outputs and inputs: classes and bands). Change "
                "model.args or source.bands."
            )


def _explain(missing: list[str], extra: list[str]) -> str:
    problems = []
    for name in missing[:3]:
        near = difflib.get_close_matches(name, extra, 1)
        problems.append(f"{name} is missing" + (f" (nearest in the file: {near[0]})" if near else ""))
    problems += [f"{name} is not a part of it" for name in extra[:3]]
    more = len(missing) + len(extra) - len(problems)
    return "; ".join(problems) + (f"; and {more} more" if more > 0 else "")


def _notes(where: str, match: Match, ignored: list[str], siblings: list[str]) -> tuple[str, ...]:
    notes = [f"weights taken from {where}"] if where else []
    notes += [f"prefix {match.off} taken off the keys"] if match.off else []
    notes += [f"prefix {match.on} put before the keys"] if match.on else []
    notes += [f"{' and '.join(INNER)} passed over in the keys"] if match.inner else []
    notes += [f"not used: {_few(ignored)}"] if ignored else []
    return (*notes, *([f"not read: {_few(siblings)}"] if siblings else []))


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def strip_wrappers(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of a state dict without those of losses.

    Wrappers' words that stand before all keys are taken off.
    """
    tensors = {
        name: entry
        for name, entry in state.items()
        if isinstance(entry, Lazy | torch.Tensor) and not TRAINING_ONLY.fullmatch(name.partition(".")[0])
    }
    firsts = {name.partition(".")[0] for name in tensors}
    if len(firsts) == 1 and firsts <= set(WRAPPERS) and all("." in name for name in tensors):
        return strip_wrappers({name.partition(".")[2]: entry for name, entry in tensors.items()})
    return tensors
