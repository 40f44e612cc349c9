"""Values and codes as one types them in a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pipeline.errors import LabelsError


def parse_values(texts: Sequence[str] | None) -> dict[int | str, int | str] | None:
    """``0=0,255=wood`` and repeated options → what each value means. Raises LabelsError."""
    return cast(dict[int | str, int | str], parse_pairs("--values", texts, "0=0,255=water")) if texts else None


def parse_pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    """What stands left and right of the equals signs of an option, in the order given.

    Raises
    ------
    LabelsError
        It is of another form, or gives two meanings to one value.
    """
    pairs: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        value, name = (side.strip() for side in part.partition("=")[::2])
        if not value or not name:
            raise LabelsError(f"{option} {','.join(texts)} is not of the form VALUE=CLASS,VALUE=CLASS, such as {option} {example}.")
        if pairs.setdefault(value, name) != name:
            raise LabelsError(f"{option} gives {value} twice, as {pairs[value]} and as {name}. Leave one of them out.")
    return pairs


def parse_ignore(texts: Sequence[str] | None) -> list[int | str]:
    """``-1,255`` and repeated options → values that say nothing."""
    return [part.strip() for text in texts or () for part in text.split(",") if part.strip()]
