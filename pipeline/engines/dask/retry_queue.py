"""What is still to be handed out: items that nobody had yet, those that came back, and those that workers died with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

DEATHS_UNTIL_ISOLATED = 2
"""Deaths after which an item is tried by itself, when all others are done: whatever was with it in a worker died as
well."""
LOSSES_UNTIL_BLAMED = 2
"""How often an item that is alone must have gone with its worker to be blamed, where nobody says that the worker died
of it."""


@dataclass(slots=True, eq=False)
class Item:
    """One item on its way."""

    value: Any
    deaths: int = 0
    """Workers that died while they had it, among others or not."""
    is_isolated: bool = False
    """Whether it is out with nothing else beside it."""
    losses: int = 0
    """How often it was alone with a worker that was gone then, dead of it or not."""


class RetryQueue:
    """Hands out each item until it is done; takes new ones only as they are needed."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._new = iter(items)
        self._again: deque[Item] = deque()
        self._suspects: deque[Item] = deque()

    def next(self, others_in_flight: bool) -> Item | None:
        """The next item, if there is one that may be out now.

        Parameters
        ----------
        others_in_flight
            Whether others are out; then suspects wait.
        """
        if self._again:
            return self._again.popleft()
        for value in self._new:
            return Item(value)
        if others_in_flight or not self._suspects:
            return None
        item = self._suspects.popleft()
        item.is_isolated = True
        return item

    def requeue(self, item: Item) -> None:
        """An item returned undone, through no fault of its own."""
        item.is_isolated = False
        self._again.appendleft(item)

    def died(self, item: Item, deaths: int = 1) -> bool:
        """Workers died with an item. Whether that is its own fault: then it is not handed out any more."""
        item.deaths += deaths
        if not item.is_isolated:
            self._put(item)
        return item.is_isolated

    def worker_vanished(self, item: Item) -> bool:
        """A worker is gone that had an item, or was gone already when it was given one.

        Whether the item is blamed, as for `died`.
        """
        item.losses += item.is_isolated
        if item.losses >= LOSSES_UNTIL_BLAMED:
            return self.died(item)
        item.deaths, item.is_isolated = item.deaths + 1, False
        self._put(item)
        return False

    def _put(self, item: Item) -> None:
        (self._suspects if item.deaths >= DEATHS_UNTIL_ISOLATED else self._again).append(item)
