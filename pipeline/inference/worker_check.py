"""What a worker's process must have before it runs the first block.

Asked at the start, and named, rather than found missing after an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.inference.block_task import BlockTask
from pipeline.inference.opened_networks import block_inference, drop_network
from pipeline.runtime.backends import backend_of
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.device import prefault_memory, run_on_device_thread
from pipeline.runtime.resources import human
from pipeline.store import lifecycle as store

DASK_PAUSE_SHARE = 0.8
"""Share of a worker's memory limit at which Dask lets it begin nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequirements:
    """What the blocks of a job need in each process.

    Small, and pickles; asking opens what stays open for the blocks.
    """

    task: BlockTask
    source: dict[str, Any]
    """What makes the raster this raster, where the run was started."""
    network: dict[str, Any]
    """The same of the network."""
    fingerprint: dict[str, Any]
    """The same of the store."""
    memory: int
    """Projected peak of one process, bytes."""
    tensors: int
    """What the tensors of the first tiles take of it, bytes."""

    @classmethod
    def of(
        cls, task: BlockTask, network: dict[str, Any], fingerprint: dict[str, Any], memory: int, tensors: int
    ) -> WorkerRequirements:
        """What a task needs, as it is here."""
        return cls(
            task=task,
            source=task.source.identity(),
            network=network,
            fingerprint=fingerprint,
            memory=memory,
            tensors=tensors,
        )

    def __call__(self, room: int | None) -> tuple[str, ...]:
        """What lacks in this process, in words."""
        CANCELLED.clear()
        drop_network()
        store.clear_open_arrays()
        missing = tuple(self._missing(room))
        if not (missing or self.task.on_arrays or backend_of(self.task.device).copies):
            prefault_memory(self.tensors)
        return missing

    def abort(self) -> None:
        """Stop the tiles that are under way."""
        CANCELLED.set()
        drop_network()

    def release(self) -> None:
        """Let go of the network."""
        drop_network()

    def _missing(self, room: int | None) -> Iterator[str]:
        if room is not None and self.memory > DASK_PAUSE_SHARE * room:
            minimum = human(self.memory / DASK_PAUSE_SHARE)
            yield (
                f"it may take {human(room)} of memory, and the plan needs {human(self.memory)}; start it "
                f"with --memory-limit 0, or {minimum} or more"
            )
        for subject, check in (
            ("the store", self._store),
            ("the raster", self._raster),
            ("the network", self._network),
        ):
            reason = _failure(check)
            if reason is not None:
                yield f"{subject}: {reason}"

    def _store(self) -> str | None:
        path = self.task.store
        if store.read_store_meta(path, "fingerprint")["fingerprint"] != self.fingerprint:
            return f"{path} is there, and of another job"
        return f"{path} cannot be written" if isinstance(path, Path) and not os.access(path, os.W_OK) else None

    def _raster(self) -> str | None:
        if self.task.source.identity() != self.source:
            return f"{self.source['path']} is there, and another one: of another size, grid or time of change"
        return None

    def _network(self) -> str | None:
        if run_on_device_thread(lambda: block_inference(self.task)).network.identity() != self.network:
            return f"{self.task.model.place} is there, and another one"
        return None


def _failure(check: Callable[[], str | None]) -> str | None:
    """What is wrong with one of them, if anything is; whatever it raises is a reason."""
    try:
        return check()
    except PipelineError as error:
        return str(error).rstrip(".")
    except Exception as error:  # of GDAL, of torch, or of the user's own code
        return f"{type(error).__name__}: {error}"
