"""``model.output.map``: classes of the store that are sums of the network's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

REST = "rest"
"""Stands for all channels that no other class of a map names."""

Channel = Annotated[int, Field(ge=0)] | str
"""A channel of the network by its number, from 0, or by its name."""


def _distinct(classes: dict[str, list[Channel] | Literal["rest"]]) -> dict[str, list[Channel] | Literal["rest"]]:
    if not all(map(str.strip, classes)):
        raise ValueError("give each class a name")
    if sum(channels == REST for channels in classes.values()) > 1:
        raise ValueError(f"{REST} stands for all that is left, so that one class alone can be it")
    listed = [channel for channels in classes.values() if channels != REST for channel in channels]
    twice = [str(channel) for channel in dict.fromkeys(listed) if listed.count(channel) > 1]
    if twice:
        raise ValueError(f"{', '.join(twice)} stands in it more than once; a channel adds to one class")
    return classes


ClassMap = Annotated[
    dict[str, Annotated[list[Channel], Field(min_length=1)] | Literal["rest"]],
    Field(min_length=2),
    AfterValidator(_distinct),
]
"""Names of classes, each with channels or ``rest``, in the order of the class table."""
