"""What runs in a worker's process: it is asked what it lacks, is given the work of a run, and takes one block after another.

The work is sent to each process once, and stays the same object for all of its blocks; a block travels as its index alone.
"""

from __future__ import annotations

import asyncio
import pickle
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import __version__
from pipeline.interfaces import Needs

_needs: dict[str, Needs | None] = {}
"""By the name of a run: those that this process was found to be fit for."""
_works: dict[str, tuple[str, Callable[[Any], Any]]] = {}
"""By the name of a work: its run, and the work itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What a process says when it is asked."""

    host: str
    name: str
    """By which its cluster knows it."""
    lacks: tuple[str, ...]
    """What it lacks, in words; nothing where it may run blocks."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """In place of a result: this process does not know the work, since it is not the one that was asked."""

    address: str
    """Of the worker."""


def versions() -> dict[str, str]:
    """What must be the same in all processes, lest they understand each other wrongly, or round otherwise."""
    return {"wholecloth": __version__, "torch": _version("torch"), "zarr": _version("zarr")}


async def enrol(run: str, work: str, wanted: dict[str, str], needs: bytes, made: bytes, dask_worker: Any = None) -> Enrolled:
    """Check this process, unless it was checked for the run before, and take up a work of it.

    Parameters
    ----------
    run, work
        Their names.
    wanted
        The `versions` of those who ask.
    needs, made
        Pickled: what the run needs, or None, and the work. They are read only where the versions are the same.
    dask_worker
        The worker of this process, which Dask hands over.
    """
    lacks = await asyncio.to_thread(_taken, run, work, wanted, needs, made, _room(dask_worker))
    return Enrolled(host=platform.node(), name=str(getattr(dask_worker, "name", "")), lacks=lacks)


def work_item(work: str, item: Any) -> Any:
    """One task: one block of a work that this process took up."""
    known = _works.get(work)
    if known is not None:
        return known[1](item)
    from distributed import get_worker

    return Stranger(get_worker().address)


def dismiss(work: str) -> None:
    """A work is over."""
    _works.pop(work, None)


def discharge(run: str, stop: bool) -> None:
    """A run is over; ``stop`` also ends what is under way for it, unless another run has this process as well."""
    for work in [work for work, (of, _) in _works.items() if of == run]:
        del _works[work]
    needs = _needs.pop(run, None)
    if needs is not None and not _needs:
        needs.halt() if stop else needs.leave()


def _taken(run: str, work: str, wanted: dict[str, str], needs: bytes, made: bytes, room: int | None) -> tuple[str, ...]:
    lacks = tuple(_differing(wanted))
    if lacks:
        return lacks
    if run not in _needs:
        asked: Needs | None = pickle.loads(needs)  # noqa: S301  # from our own command, over the connection that Dask trusts
        lacks = asked(room) if asked is not None else ()
        if lacks:
            return lacks
        _needs[run] = asked
    _works[work] = run, pickle.loads(made)  # noqa: S301  # as above
    return ()


def _differing(wanted: dict[str, str]) -> list[str]:
    here = versions()
    return [f"{name} {here[name]} is here, and {said} where the run was started" for name, said in wanted.items() if here[name] != said]


def _room(dask_worker: Any) -> int | None:
    """Bytes that Dask allows this process; None for any number."""
    limit = getattr(getattr(dask_worker, "memory_manager", None), "memory_limit", None)
    return int(limit) if limit else None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
