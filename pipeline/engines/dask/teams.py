"""Workers in teams: an item is out at the workers of one team, among which the scheduler chooses.

The scheduler weighs every worker that may have an item, and is told of each by its address, which takes milliseconds
where they are a thousand. Within a team it moves items from the busy to the idle as it does among all::

    workers   1 2 … 16 | 17 18 … 32 | … | 985 986 … 1000
    item      → the team with the most free hands
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

TEAM_SIZE = 16
"""Workers of a team at the most: enough that a slow block keeps nothing waiting, and few for the scheduler to weigh."""


@dataclass(slots=True, eq=False, kw_only=True)
class Team:
    """Workers that may have the same items."""

    threads: dict[str, int]
    """Threads of each worker, by address."""
    capacity: int
    """Items that may be out at its workers at once."""
    items: int = 0
    """Items that are out."""

    @property
    def free(self) -> int:
        """Items that it may have beside those that are out; below 0 where workers went."""
        return self.capacity - self.items


class Assigned(Protocol):
    """An item that is out."""

    addresses: frozenset[str]
    team: Team | None


@dataclass(slots=True, eq=False, kw_only=True)
class Teams:
    """The workers that may have items, in teams that are as even as can be."""

    items_per_thread: int
    """Items that may be out per thread at once."""
    teams: list[Team] = field(default_factory=list)
    _threads: dict[str, int] = field(default_factory=dict)

    def update(self, threads: dict[str, int], assigned: Collection[Assigned]) -> None:
        """Take over who may have items; items that are out count for the team that has a worker of theirs.

        Parameters
        ----------
        threads
            Threads of each worker, by address.
        assigned
            Items that are out.
        """
        if threads == self._threads:
            return
        self._threads = dict(threads)
        self.teams = [self._team(share) for share in _even_shares(list(threads), TEAM_SIZE)]
        by_address = {address: team for team in self.teams for address in team.threads}
        for assignment in assigned:
            assignment.team = next((by_address[one] for one in assignment.addresses if one in by_address), None)
            if assignment.team is not None:
                assignment.team.items += 1

    def roomiest(self) -> Team | None:
        """The team with the most free hands per thread; None where none has any."""
        team = max(self.teams, key=lambda team: team.free / team.capacity, default=None)
        return team if team is not None and team.free > 0 else None

    def _team(self, addresses: list[str]) -> Team:
        threads = {address: self._threads[address] for address in addresses}
        return Team(threads=threads, capacity=self.items_per_thread * sum(threads.values()))


def _even_shares(addresses: list[str], size: int) -> list[list[str]]:
    """As few shares as hold at most ``size`` each, whose sizes differ by one at the most."""
    count = -(-len(addresses) // size)
    bounds = [len(addresses) * k // count for k in range(count + 1)] if count else []
    return [addresses[start:stop] for start, stop in pairwise(bounds)]
