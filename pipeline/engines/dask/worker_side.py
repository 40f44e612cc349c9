"""What runs in a worker's process.

It is asked what it lacks, is given the work of a run, and takes one block after another.

The work is sent to each process once, and stays the same object for all of its blocks; a block travels as its index
alone.
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
from pipeline.interfaces import ReadinessCheck

_needs: dict[str, ReadinessCheck | None] = {}
"""By the name of a run: those that this process was found to be fit for."""
_works: dict[str, tuple[str, Callable[[Any], Any]]] = {}
"""By the name of a work: its run, and the work itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a process says when it is asked."""

    host: str
    name: str
    """By which its cluster knows it."""
    missing: tuple[str, ...]
    """What it lacks, in words; nothing where it may run blocks."""


@dataclass(frozen=True, slots=True)
class UnknownWork:
    """In place of a result: this process does not know the work, since it is not the one that was asked."""

    address: str
    """Of the worker."""


def versions() -> dict[str, str]:
    """What must be the same in all processes, lest they understand each other wrongly, or round otherwise."""
    return {"wholecloth": __version__, "torch": _version("torch"), "zarr": _version("zarr")}


async def register_work(
    run: str, work: str, expected: dict[str, str], needs: bytes, pickled_work: bytes, dask_worker: Any = None
) -> WorkerReport:
    """Check this process, unless it was checked for the run before, and take up a work of it.

    Parameters
    ----------
    run, work
        Their names.
    expected
        The `versions` of those who ask.
    needs, pickled_work
        Pickled: what the run needs, or None, and the work. They are read only where the versions are the same.
    dask_worker
        The worker of this process, which Dask hands over.
    """
    missing = await asyncio.to_thread(_register, run, work, expected, needs, pickled_work, _memory_limit(dask_worker))
    return WorkerReport(host=platform.node(), name=str(getattr(dask_worker, "name", "")), missing=missing)


def work_item(work: str, item: Any) -> Any:
    """One task: one block of a work that this process took up."""
    registered = _works.get(work)
    if registered is not None:
        return registered[1](item)
    from distributed import get_worker

    return UnknownWork(get_worker().address)


def unregister_work(work: str) -> None:
    """A work is over."""
    _works.pop(work, None)


def end_run(run: str, stop: bool) -> None:
    """A run is over; ``stop`` also ends what is under way for it, unless another run has this process as well."""
    for work in [work for work, (owner, _) in _works.items() if owner == run]:
        del _works[work]
    needs = _needs.pop(run, None)
    if needs is not None and not _needs:
        needs.abort() if stop else needs.release()


def _register(
    run: str, work: str, expected: dict[str, str], needs: bytes, pickled_work: bytes, room: int | None
) -> tuple[str, ...]:
    missing = tuple(_version_mismatches(expected))
    if missing:
        return missing
    if run not in _needs:
        requirements: ReadinessCheck | None = pickle.loads(needs)  # noqa: S301  # from our own command, over the connection that Dask trusts
        missing = requirements(room) if requirements is not None else ()
        if missing:
            return missing
        _needs[run] = requirements
    _works[work] = run, pickle.loads(pickled_work)  # noqa: S301  # as above
    return ()


def _version_mismatches(expected: dict[str, str]) -> list[str]:
    local = versions()
    return [
        f"{name} {local[name]} is here, and {required} where the run was started"
        for name, required in expected.items()
        if local[name] != required
    ]


def _memory_limit(dask_worker: Any) -> int | None:
    """Bytes that Dask allows this process; None for any number."""
    limit = getattr(getattr(dask_worker, "memory_manager", None), "memory_limit", None)
    return int(limit) if limit else None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
