"""The networks of an ensemble, loaded onto one device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import ModelConfig
from pipeline.config.model import Member
from pipeline.errors import BandsError, ModelError
from pipeline.models.ensemble.ensemble import Ensemble
from pipeline.models.ensemble.member import EnsembleMember
from pipeline.models.loaded import Loaded

if TYPE_CHECKING:
    import torch


LoadOne = Callable[[ModelConfig, int, "torch.device"], Loaded]


def load_ensemble(model: ModelConfig, bands: int, device: torch.device, load_one: LoadOne) -> Ensemble:
    """Load every network of a model that names several, or one whose classes are added up.

    Parameters
    ----------
    model
        With its members resolved.
    bands
        Of the input, where the bands stand once for each normalisation.
    device
        Of all of them.
    load_one
        Loads a single network.

    Raises
    ------
    ModelError, Unfinished
        One of them cannot be loaded, takes other bands, two are the same, or no size suits all.
    """
    members = tuple(
        _loaded(member, _name(member, number, len(model.members)), bands, device, load_one)
        for number, member in enumerate(model.members, 1)
    )
    _check_distinct(members)
    return Ensemble.of(members)


def _name(member: Member, number: int, count: int) -> str:
    place = member.model.place
    return place if count == 1 else f"network {number} ({Path(place).name})"


def _loaded(member: Member, name: str, bands: int, device: torch.device, load_one: LoadOne) -> EnsembleMember:
    output = member.model.output
    try:
        network = load_one(member.model, bands if member.bands is None else member.bands, device)
    except BandsError as error:
        raise BandsError(
            f"{str(error).rstrip('.')}. All networks of a list see the same bands.", error.expected
        ) from error
    return EnsembleMember(
        network=network,
        name=name,
        weight=member.weight,
        activation=output.activation,
        temperature=output.temperature,
        groups=member.groups,
        first_band=member.first_band,
        bands=member.bands,
    )


def _check_distinct(members: tuple[EnsembleMember, ...]) -> None:
    """Raise ModelError where two members are the same network, whatever their files are called."""
    identities = [member.identity(share=1.0) for member in members]
    for number, identity in enumerate(identities):
        first = identities.index(identity)
        if first < number:
            raise ModelError(
                f"model.path lists {members[first].name} and {members[number].name}, which hold the same network, so "
                f"that it would count twice and disagree with itself in nothing. List it once, with weight: "
                f"{members[first].weight + members[number].weight:g}."
            )
