"""What is known of an ensemble from what was measured of each network: nothing of the whole is measured anew.

A mean over networks looks as far as the network that looks the farthest, and commutes with every shift with which all
of them do: its radius is the largest, its stride the least common multiple.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.errors import ModelError
from pipeline.geometry.span import round_down, round_up
from pipeline.interfaces import Locality, Radius
from pipeline.models.ensemble import Ensemble, EnsembleMember

VERDICTS = ("local", "unproven", "not local")
"""From the best: an ensemble has the worst of its networks."""
MEAN_ENDING = "mean of probabilities"


def joint_locality(network: Ensemble) -> Locality:
    """What is known of an ensemble whose networks were all measured.

    Raises
    ------
    ModelError
        They differ in their classes, their one size or their margins.
    """
    localities = [_measured(member) for member in network.members]
    if len(network.members) == 1:
        return replace(localities[0], **_answer(network, localities))
    _check_alike(network, localities)
    stride = math.lcm(*(locality.stride for locality in localities))
    size = next((locality.size for locality in localities if locality.size is not None), None)
    maximum = min((one.maximum for one in localities if one.maximum is not None), default=None)
    minimum = round_up(max(locality.minimum for locality in localities), stride)
    _check_sizes(network, minimum, stride, size, maximum)
    return Locality(
        verdict=max((locality.verdict for locality in localities), key=VERDICTS.index),
        stride=stride,
        radius=_radius(localities),
        bands=network.bands,
        minimum=minimum,
        blame=tuple(f"{name}: {layer}" for name, one in _named(network, localities) for layer in one.blame),
        size=size,
        margin=localities[0].margin,
        maximum=None if maximum is None else round_down(maximum, stride),
        **_answer(network, localities),
    )


def _measured(member: EnsembleMember) -> Locality:
    assert member.locality is not None, "each network is measured before what is known of all is put together"
    return member.locality


def _named(network: Ensemble, localities: Sequence[Locality]) -> list[tuple[str, Locality]]:
    """What was measured of each, with the name of its file."""
    return [(member.name, locality) for member, locality in zip(network.members, localities, strict=True)]


def _answer(network: Ensemble, localities: Sequence[Locality]) -> dict[str, Any]:
    """What the ensemble returns, and what is to be said of each network's own answer."""
    single = len(localities) == 1
    return {
        "classes": len(network.members[0].groups) or localities[0].classes,
        "returns": "probability",
        "ending": MEAN_ENDING,
        "between": "",
        "remarks": tuple(
            text if single else f"{name}: {text}" for name, one in _named(network, localities) for text in one.remarks
        ),
    }


def _radius(localities: Sequence[Locality]) -> Radius | None:
    """The largest of each side; None where the reach of any has no bound."""
    radii = [locality.radius for locality in localities if locality.radius is not None]
    if len(radii) < len(localities):
        return None
    return Radius(
        top=max(radius.top for radius in radii),
        bottom=max(radius.bottom for radius in radii),
        left=max(radius.left for radius in radii),
        right=max(radius.right for radius in radii),
    )


def _check_alike(network: Ensemble, localities: Sequence[Locality]) -> None:
    """Raise ModelError where a mean over the networks, or one tile for all of them, cannot be."""
    (first, reference), *others = _named(network, localities)
    for name, locality in others:
        if locality.classes != reference.classes:
            raise ModelError(
                f"model.path lists networks of unlike answers: {first} returns {reference.classes} channels, and "
                f"{name} returns {locality.classes}, so that they have no mean. Give networks with the same classes in "
                f"the same order, or name the output of each by its own key."
            )
        if locality.margin != reference.margin:
            raise ModelError(
                f"model.path lists networks of which {first} leaves off {_left_off(reference)}, and {name} leaves off "
                f"{_left_off(locality)}, so that no tile is returned alike by all. Give networks that leave off the "
                f"same, or run them one by one."
            )
    sizes = {locality.size: name for name, locality in _named(network, localities) if locality.size is not None}
    if len(sizes) > 1:
        each = " and ".join(f"{name} takes {size} px" for size, name in sizes.items())
        raise ModelError(
            f"model.path lists networks of one size each, which see the same tiles: {each}. Export them for the same "
            f"size, or run them one by one."
        )


def _check_sizes(network: Ensemble, minimum: int, stride: int, size: int | None, maximum: int | None) -> None:
    """Raise ModelError where what one network takes is too small, or off the stride, for another."""
    limit = min((value for value in (size, maximum) if value is not None), default=None)
    if limit is None or (limit >= minimum and (size is None or size % stride == 0)):
        return
    names = ", ".join(f"{member.name} (stride {_measured(member).stride} px)" for member in network.members)
    raise ModelError(
        f"model.path lists networks that see the same tiles, but one takes {limit} px at most, and all together take "
        f"multiples of {stride} px from {minimum} px: {names}. Export them for a size that suits all, or run them one "
        f"by one."
    )


def _left_off(locality: Locality) -> str:
    return "nothing" if locality.margin is None else locality.margin.sides
