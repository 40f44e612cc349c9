"""One object per process: what is pickled many times over comes back as the object that is there already, with its handles and what it holds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

KEPT = 4
"""Objects that came by pickle and stay for the next task, which brings them again."""

_lock = threading.RLock()
_alive: WeakValueDictionary[str, Any] = WeakValueDictionary()
_recent: deque[Any] = deque(maxlen=KEPT)


def enter(name: str, made: Any) -> None:
    """Make an object known by a name of its own."""
    with _lock:
        _alive[name] = made


def revive(make: Callable[..., Any], name: str, said: dict[str, Any]) -> Any:
    """The object of that name; made from its spec where this process has none."""
    with _lock:
        found = _alive.get(name)
        if found is None:
            found = make(**said, name=name)  # which enters itself
            _recent.append(found)
        return found
