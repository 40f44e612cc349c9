"""What became of each tensor when a network was started from another, and that in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_FEW = 3
"""Names that are written out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaped:
    """A tensor that was not taken as it was."""

    name: str
    """In the network."""
    source: str
    """Its key in the state dict."""
    old_shape: tuple[int, ...]
    """Shape in the state dict."""
    new_shape: tuple[int, ...]
    """Shape in the network."""
    rule: str
    """How the one became the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """Where every tensor of a network came from."""

    kind: str
    """The network."""
    source: str
    """What the state dict was recognised as."""
    matched: tuple[str, ...]
    """Taken as they were, by the network's names."""
    reshaped: tuple[Reshaped, ...]
    """Taken by a rule."""
    fresh: tuple[Reshaped, ...]
    """In both, for another number of classes: as the network was made."""
    missing: tuple[str, ...]
    """Not in the state dict: as the network was made, and 0 for the scores of skips."""
    left: tuple[str, ...]
    """Keys of the state dict that are of no use here."""


def report_text(report: LoadReport) -> str:
    """A table of counts and a few names, one line each, without a line break at its end."""
    rules = dict.fromkeys(row.rule for row in report.reshaped)
    rows = [
        ("as it was", report.matched),
        *((rule, [_change(row) for row in report.reshaped if row.rule == rule]) for rule in rules),
        ("begins anew: another number of classes", [_change(row) for row in report.fresh]),
        ("begins anew: not in the weights", report.missing),
        ("left out of the weights", report.left),
    ]
    lines = [f"  {len(names):4d}  {text}: {_few(names)}" for text, names in rows if names]
    return "\n".join([f"{report.kind} started from {report.source}", *lines])


def _change(row: Reshaped) -> str:
    moved = "" if row.old_shape == row.new_shape else f" {_size(row.old_shape)} → {_size(row.new_shape)}"
    return row.name + moved


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _FEW
    return ", ".join(listed[:_FEW]) + (f" and {more} more" if more > 0 else "")
