"""Work beside what a command does, in a thread that nobody waits for at the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def start_in_background(work: Callable[[], T], name: str) -> Future[T]:
    """Begin work in a thread of its own.

    Parameters
    ----------
    work
        What is run.
    name
        Of the thread.

    Returns
    -------
    Future
        Its result, or the error that it met; whoever needs neither may forget it.
    """
    future: Future[T] = Future()
    threading.Thread(target=settle, args=(work, future), name=name, daemon=True).start()
    return future


def settle(work: Callable[[], T], future: Future[T]) -> None:
    """Run work, and put its result or the error that it met into a future."""
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
