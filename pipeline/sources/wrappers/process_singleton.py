"""One object per process.

What is pickled many times over comes back as the object that is there already, with its handles and what it holds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

_MAX_RECENT = 4
"""Objects that came by pickle and stay for the next task, which brings them again."""

_lock = threading.RLock()
_by_name: WeakValueDictionary[str, Any] = WeakValueDictionary()
_recent: deque[Any] = deque(maxlen=_MAX_RECENT)


def register(name: str, instance: Any) -> None:
    """Make an object known by a name of its own."""
    with _lock:
        _by_name[name] = instance


def get_or_create(make: Callable[..., Any], name: str, arguments: dict[str, Any]) -> Any:
    """The object of that name; made from its spec where this process has none."""
    with _lock:
        instance = _by_name.get(name)
        if instance is None:
            instance = make(**arguments, name=name)  # which enters itself
            _recent.append(instance)
        return instance
