"""What a worker's process must have before it runs the first block: asked at the start, and named, rather than found missing after an hour."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.inference.block_task import BlockTask, forget, inference
from pipeline.runtime.cancellation import STOP
from pipeline.runtime.device import make_room, on_device
from pipeline.runtime.resources import human
from pipeline.store import lifecycle as store

PAUSES = 0.8
"""Share of a worker's memory limit at which Dask lets it begin nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the blocks of a job need in each process. Small, and pickles; asking opens what stays open for the blocks."""

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
    def of(cls, task: BlockTask, network: dict[str, Any], fingerprint: dict[str, Any], memory: int, tensors: int) -> Needs:
        """What a task needs, as it is here."""
        return cls(task=task, source=task.source.identity(), network=network, fingerprint=fingerprint, memory=memory, tensors=tensors)

    def __call__(self, room: int | None) -> tuple[str, ...]:
        """What lacks in this process, in words."""
        STOP.clear()
        forget()
        store.open_afresh()
        lacks = tuple(self._lacking(room))
        if not lacks and self.task.device == "cpu":
            make_room(self.tensors)
        return lacks

    def halt(self) -> None:
        """Stop the tiles that are under way."""
        STOP.set()
        forget()

    def leave(self) -> None:
        """Let go of the network."""
        forget()

    def _lacking(self, room: int | None) -> Iterator[str]:
        if room is not None and self.memory > PAUSES * room:
            least = human(self.memory / PAUSES)
            yield f"it may take {human(room)} of memory, and the plan needs {human(self.memory)}; start it with --memory-limit 0, or {least} or more"
        for what, found in (("the store", self._store), ("the raster", self._raster), ("the network", self._network)):
            why = _fault(found)
            if why is not None:
                yield f"{what}: {why}"

    def _store(self) -> str | None:
        path = self.task.store
        if store.read_meta(path, "fingerprint")["fingerprint"] != self.fingerprint:
            return f"{path} is there, and of another job"
        return f"{path} cannot be written" if isinstance(path, Path) and not os.access(path, os.W_OK) else None

    def _raster(self) -> str | None:
        if self.task.source.identity() != self.source:
            return f"{self.source['path']} is there, and another one: of another size, grid or time of change"
        return None

    def _network(self) -> str | None:
        if on_device(lambda: inference(self.task)).network.identity() != self.network:
            return f"{self.task.model.path or self.task.model.factory} is there, and another one"
        return None


def _fault(found: Callable[[], str | None]) -> str | None:
    """What is wrong with one of them, if anything is; whatever it raises is a reason."""
    try:
        return found()
    except PipelineError as error:
        return str(error).rstrip(".")
    except Exception as error:  # of GDAL, of torch, or of the user's own code
        return f"{type(error).__name__}: {error}"
