"""What a network's answer is known to be, by walking back from it through what keeps its kind.

    … → convolution → sigmoid → crop → cast → 1 − x → the answer
                      ↑ met here: probabilities

Sums of probabilities are followed as weight · p + offset, so that means, ensembles, 1 − x and (tanh + 1) / 2 are known
as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

from pipeline.interfaces import Origin

PROBABILITIES = {"sigmoid": "sigmoid", "hardsigmoid": "hard sigmoid", "softmax": "softmax", "safe_softmax": "softmax"}
LOGARITHMS = {"log_softmax": "log_softmax", "log_sigmoid": "logsigmoid", "log_sigmoid_forward": "logsigmoid"}
LABEL_OPERATIONS = {
    "argmax": "argmax",
    "argmin": "argmin",
    "gt": "a threshold",
    "ge": "a threshold",
    "lt": "a threshold",
    "le": "a threshold",
}
CHOICES = ("max", "min", "topk", "sort")
"""They return values, and then their places."""
KEEPS = frozenset(
    [
        "view",
        "reshape",
        "unsafe_view",
        "reshape_alias",
        "permute",
        "transpose",
        "t",
        "slice",
        "select",
        "narrow",
        "split",
        "split_with_sizes",
        "chunk",
        "unbind",
        "squeeze",
        "unsqueeze",
        "expand",
        "clone",
        "contiguous",
        "to",
        "to_copy",
        "detach",
        "alias",
        "lift_fresh",
        "pad",
        "constant_pad_nd",
        "reflection_pad2d",
        "replication_pad2d",
        "upsample_bilinear2d",
        "upsample_nearest2d",
        "upsample_nearest_exact2d",
        "upsample_bilinear2d_aa",
        "avg_pool2d",
        "mean",
        "flip",
        "roll",
        "adaptive_avg_pool2d",
        "movedim",
        "clamp",
        "clamp_min",
        "clamp_max",
        "identity",
        "index_select",
        "conj",
        "resolve_conj",
        "resolve_neg",
    ]
)
"""Operations whose values are some of those they are given, or means of them."""
AXIS_PRESERVING = ("slice", "pad", "to", "identity", "upsample_bilinear2d", "clamp", "avg_pool2d")
"""Of these, those that leave every axis where it is, whatever the shapes."""
RESHAPES = ("view", "reshape", "unsafe_view", "reshape_alias")
DEEP = 200
"""Operations that are walked back at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What was met."""

    operation: str
    """In words: sigmoid, softmax, log_softmax, argmax …"""
    kind: str
    """``probability``, ``logarithm`` of one, or ``label``."""
    axis: int | None = None
    """The axis of a softmax, as it lies in the answer; None where that was lost sight of, and of all others."""
    weight: float = 1.0
    offset: float = 0.0


def ending(origin: Any, depth: int = DEEP) -> Ending | None:
    """What a value is known to be, or None."""
    if not isinstance(origin, Origin) or depth == 0:
        return None
    name = origin.operation
    if name in PROBABILITIES:
        return Ending(
            operation=PROBABILITIES[name], kind="probability", axis=_axis(origin) if "softmax" in name else None
        )
    if name == "tanh":  # 2 · sigmoid(2x) − 1
        return Ending(operation="tanh", kind="probability", weight=2.0, offset=-1.0)
    if name in LOGARITHMS:
        return Ending(operation=LOGARITHMS[name], kind="logarithm", axis=_axis(origin) if "softmax" in name else None)
    if name in LABEL_OPERATIONS or (name in CHOICES and origin.place == 1):
        return Ending(operation=LABEL_OPERATIONS.get(name, name), kind="label")
    rule = _unchanged if name in KEEPS or name in CHOICES else RULES.get(name)
    return None if rule is None else rule(origin, depth - 1)


def _unchanged(origin: Origin, depth: int) -> Ending | None:
    end = ending(origin.inputs[0], depth)
    if end is None or end.axis is None:
        return end
    return replace(end, axis=_moved(origin, end.axis))


def _moved(origin: Origin, axis: int) -> int | None:
    """Where an axis lies after an operation; None where that is not plain."""
    shape, numbers = (
        origin.inputs[0].shape,
        [value for value in origin.inputs[1:] if isinstance(value, int) and not isinstance(value, bool)],
    )
    if origin.operation == "permute":
        return (
            numbers.index(axis)
            if axis in numbers
            else numbers.index(axis - len(numbers))
            if axis - len(numbers) in numbers
            else None
        )
    if not shape:  # nothing was run
        return axis if origin.operation in AXIS_PRESERVING else None
    if origin.operation in ("transpose", "movedim") and len(numbers) >= 2:
        first, second = (number % len(shape) for number in numbers[:2])
        return {first: second, second: first}.get(axis, axis) if origin.operation == "transpose" else None
    if origin.operation in RESHAPES or len(shape) != len(origin.shape):
        places = [
            k
            for k, size in enumerate(origin.shape)
            if size == shape[axis] and prod(origin.shape[:k]) == prod(shape[:axis])
        ]
        return places[0] if len(places) == 1 else None
    return axis


def _axis(origin: Origin) -> int | None:
    numbers = [value for value in origin.inputs[1:] if isinstance(value, int) and not isinstance(value, bool)]
    if not numbers:
        return None
    return numbers[0] % len(origin.shape) if origin.shape else numbers[0]


def _scaled(origin: Origin, depth: int) -> Ending | None:
    """A product with a number, or a quotient by one."""
    values = origin.inputs[:2]
    number = next((value for value in values if _is_number(value)), None)
    end = next((part for value in values if (part := ending(value, depth)) is not None), None)
    if (
        number is None
        or end is None
        or end.kind != "probability"
        or (origin.operation == "div" and (number == 0 or values[1] is not number))
    ):
        return None
    factor = 1 / number if origin.operation == "div" else number
    return replace(end, weight=end.weight * factor, offset=end.offset * factor)


def _added(origin: Origin, depth: int) -> Ending | None:
    """A sum or a difference, of probabilities or with a number; ``rsub`` takes the first from the second."""
    signs = {"add": (1, 1), "sub": (1, -1), "rsub": (-1, 1)}[origin.operation]
    if any(_is_number(value) and value != 1 for value in origin.inputs[2:]):  # alpha
        return None
    parts: list[Ending] = []
    weight = offset = 0.0
    for sign, value in zip(signs, origin.inputs[:2], strict=False):
        if _is_number(value):
            offset += sign * value
            continue
        part = ending(value, depth)
        if part is None or part.kind != "probability":
            return None
        parts.append(part)
        weight, offset = weight + sign * part.weight, offset + sign * part.offset
    return _combined(parts, weight, offset) if parts else None


def _joined(origin: Origin, depth: int) -> Ending | None:
    """Side by side; all of them must be the same in kind."""
    branches = [ending(value, depth) for value in origin.inputs if isinstance(value, Origin)]
    ends = [part for part in branches if part is not None]
    if (
        not ends
        or len(ends) < len(branches)
        or any((a.kind, a.weight, a.offset) != (b.kind, b.weight, b.offset) for a, b in pairwise(map(_upright, ends)))
    ):
        return None
    first = _upright(ends[0])
    return replace(_combined(ends, first.weight, first.offset), axis=None)


def _upright(end: Ending) -> Ending:
    """As a sum: c − w·p is (c − w) + w·(1 − p), of another probability."""
    return (
        end
        if end.weight >= 0 or end.kind != "probability"
        else replace(end, weight=-end.weight, offset=end.offset + end.weight)
    )


def _combined(parts: list[Ending], weight: float, offset: float) -> Ending:
    alike = all(part == replace(parts[0], weight=part.weight, offset=part.offset) for part in parts)
    first = (
        parts[0]
        if alike
        else replace(parts[0], axis=None, operation=" and ".join(dict.fromkeys(part.operation for part in parts)))
    )
    return _upright(replace(first, weight=weight, offset=offset))


def _negative(origin: Origin, depth: int) -> Ending | None:
    end = ending(origin.inputs[0], depth)
    return (
        None
        if end is None or end.kind != "probability"
        else _upright(replace(end, weight=-end.weight, offset=-end.offset))
    )


def _exponential(origin: Origin, depth: int) -> Ending | None:
    end = ending(origin.inputs[0], depth)
    return replace(end, kind="probability") if end is not None and end.kind == "logarithm" else None


def _logarithm(origin: Origin, depth: int) -> Ending | None:
    end = ending(origin.inputs[0], depth)
    # an epsilon is usual
    unscaled = end is not None and end.kind == "probability" and abs(end.weight - 1) < 1e-2 and abs(end.offset) < 1e-2
    return (
        replace(end, kind="logarithm", operation=f"the logarithm of a {end.operation}")
        if end is not None and unscaled
        else None
    )


def _rounded(origin: Origin, depth: int) -> Ending | None:
    end = ending(origin.inputs[0], depth)
    return None if end is None else replace(end, kind="label", operation=f"a rounded {end.operation}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


RULES: dict[str, Callable[[Origin, int], Ending | None]] = {
    "mul": _scaled,
    "div": _scaled,
    "add": _added,
    "sub": _added,
    "rsub": _added,
    "neg": _negative,
    "cat": _joined,
    "concat": _joined,
    "stack": _joined,
    "exp": _exponential,
    "log": _logarithm,
    "round": _rounded,
}
