"""Numbers of the stains of a slide from its colours, by method, and the change of colours that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.inference.colour_transfer import ColourTransfer
from pipeline.statistics.colours import ColourCounts
from pipeline.statistics.stains.macenko import macenko_numbers, macenko_transfer
from pipeline.statistics.stains.reinhard import reinhard_numbers, reinhard_transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class StainMethod:
    """A method."""

    numbers: Callable[[ColourCounts], dict[str, Any]]
    """Of the colours of stained tissue; raises ValueError with a reason where they mean no stains."""
    transfer: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
    """From the numbers of a slide and those of the target to the fields of a `ColourTransfer`."""


STAIN_METHODS = {
    "macenko": StainMethod(numbers=macenko_numbers, transfer=macenko_transfer),
    "reinhard": StainMethod(numbers=reinhard_numbers, transfer=reinhard_transfer),
}


def transfer_of(record: dict[str, Any], rgb: tuple[int, int, int]) -> ColourTransfer:
    """The change of colours that a record of a fingerprint says."""
    fields = STAIN_METHODS[record["method"]].transfer(record["stain"], record["target"])
    return ColourTransfer(**fields, rgb=rgb, record=record)
