"""An ensemble as a network: it returns the mean of the probabilities of its members."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

from pipeline.geometry.margin import Margin
from pipeline.interfaces import Network
from pipeline.models.ensemble.constraints import joint_constraints
from pipeline.models.ensemble.mean import mean_and_variance
from pipeline.models.ensemble.member import EnsembleMember
from pipeline.models.loaded import Loaded

if TYPE_CHECKING:
    import torch


ENSEMBLE = "ensemble"
"""What the identity of several networks has for a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble(Loaded):
    """Networks on one device that see the same tile; also one whose classes are added up."""

    members: tuple[EnsembleMember, ...]
    returns_variance: bool = False
    """Whether the variance between the members follows the mean, channel by channel."""

    @classmethod
    def of(cls, members: Iterable[EnsembleMember]) -> Self:
        """An ensemble of loaded networks. Raises ModelError where no size of a tile suits all."""
        import torch

        networks = tuple(members)
        names = [member.name for member in networks]
        return cls(
            module=torch.nn.ModuleList([member.network.module for member in networks]),
            identity_fields={},
            accepts=joint_constraints([member.network.accepts for member in networks], names),
            notes=tuple(f"{member.name}: {note}" for member in networks for note in member.network.notes),
            bands=sum(bands for _, bands in {(one.first_band, one.network.bands) for one in networks}),
            members=networks,
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) float32 → probabilities (n, classes, rows, cols) float32, at the input's size.

        With their variance they are (n, 2 · classes, rows, cols).
        """
        import torch

        with torch.inference_mode():
            weighted = ((member.weight, member(x)) for member in self.members)
            mean, variance = mean_and_variance(weighted, self.returns_variance)
            return mean if variance is None else torch.cat([mean, variance], 1)

    @property
    def networks(self) -> tuple[Loaded, ...]:
        """Those of its members."""
        return tuple(member.network for member in self.members)

    def with_networks(self, networks: Iterable[Loaded]) -> Self:
        """The same with other forms of its networks, such as folded or compiled ones."""
        import torch

        members = tuple(member.with_network(network) for member, network in zip(self.members, networks, strict=True))
        return replace(self, members=members, module=torch.nn.ModuleList([member.network.module for member in members]))

    def with_variance(self) -> Self:
        """The same, which also returns how far its members are apart."""
        return replace(self, returns_variance=True)

    def with_margin(self, margin: Margin) -> Self:
        """The same, of unpadded networks that all leave off the same."""
        unpadded = self.with_networks(member.network.with_margin(margin) for member in self.members)
        return replace(unpadded, margin=margin, accepts=Loaded._accepts(self, margin))

    def identity(self) -> dict[str, Any]:
        """What makes it this ensemble, flat; one network whose classes are added up is that network with its map."""
        first, *others = self.members
        added_up = {"output.map": [list(channels) for channels in first.groups]} if first.groups else {}
        if not others:  # under the keys of the options that say the same
            decided = {"output.activation": first.activation, "output.temperature": first.temperature}
            return {**first.network.identity(), **added_up, **decided}
        total = sum(member.weight for member in self.members)
        return {
            "kind": ENSEMBLE,
            "members": len(self.members),
            **{
                f"members.{number}.{key}": value
                for number, member in enumerate(self.members, 1)
                for key, value in member.identity(member.weight / total).items()
            },
            **added_up,
        }

    @property
    def leaves_torch(self) -> bool:
        """Whether any of its networks runs in another library."""
        return any(network.leaves_torch for network in self.networks)

    @property
    def mark(self) -> str:
        """Digest of what every process and machine sees alike of its networks."""
        marks = [member.network.mark for member in self.members]
        return hashlib.sha256(json.dumps(marks).encode()).hexdigest()

    def returns_same_output(self, key: str) -> bool:
        """Whether another ``model.output.key`` names the same; of several networks each has one of its own."""
        return len(self.members) == 1 and self.members[0].network.returns_same_output(key)


def members_of(network: Network) -> tuple[Loaded, ...]:
    """The networks that run: those of an ensemble, else the one, which is a loaded one."""
    return network.networks if isinstance(network, Ensemble) else (cast(Loaded, network),)
