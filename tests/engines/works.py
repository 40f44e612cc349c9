"""Works that processes of their own can import."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import Unfinished


def square(item: int) -> int:
    return item * item


def bad(item: int) -> int:
    if item == 3:
        raise KeyError("bad item")
    return item


def full(item: int) -> int:
    raise Unfinished("the disk is full")


@dataclass(frozen=True, kw_only=True)
class Lethal:
    """Kills its process at some items; ``once``: only where nobody did before, which is noted in a folder."""

    items: tuple[int, ...]
    once: Path | None = None
    seconds: float = 0.0

    def __call__(self, item: int) -> int:
        time.sleep(self.seconds)
        if item in self.items and self._first(item):
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    def failed(self, item: int, why: str) -> tuple[int, str]:
        return item, why

    def _first(self, item: int) -> bool:
        if self.once is None:
            return True
        try:
            (self.once / str(item)).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@dataclass(frozen=True)
class Where:
    """Says in which process it is, and which object does it."""

    seconds: float = 0.0
    name: str = "where"
    identities: list[int] = field(default_factory=list)

    def __call__(self, item: int) -> tuple[int, int]:
        time.sleep(self.seconds)
        return os.getpid(), id(self)


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """What a process needs, and lacks; where there is a file, only if that exists."""

    what: tuple[str, ...]
    where: Path | None = None

    def __call__(self, room: int | None) -> tuple[str, ...]:
        return self.what if self.where is None or self.where.exists() else ()

    def abort(self) -> None:
        pass

    def release(self) -> None:
        pass


class Rooms:
    """Says in what it lacks how much it may take."""

    def __call__(self, room: int | None) -> tuple[str, ...]:
        return (f"room {room}",)

    def abort(self) -> None:
        pass

    def release(self) -> None:
        pass


class Mask:
    """Whether Ctrl-C reaches neither this thread nor the first one of its process."""

    def __call__(self, item: int) -> bool:
        said = Path("/proc/self/status").read_text().partition("SigBlk:")[2].split()[0]
        return bool(int(said, 16) & 1 << signal.SIGINT - 1) and signal.SIGINT in signal.pthread_sigmask(
            signal.SIG_BLOCK, ()
        )


def variables(names: Any) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


@dataclass(frozen=True)
class Slow:
    """Says what a variable is, after a while."""

    name: str
    seconds: float = 0.2

    def __call__(self, item: int) -> str | None:
        time.sleep(self.seconds)
        return os.environ.get(self.name)


@dataclass(frozen=True)
class Halted:
    """Leaves a file where it is told to halt."""

    where: Path

    def __call__(self, room: int | None) -> tuple[str, ...]:
        return ()

    def abort(self) -> None:
        self.where.touch()

    def release(self) -> None:
        pass


def effects(item: int) -> tuple[int, int, tuple[object, ...], bool, int]:
    """What a worker's settings do.

    Threads of torch, page faults of a tensor made where another was freed, GPUs that torch sees; and whether it was
    forked.
    """
    import resource
    from multiprocessing import forkserver

    import torch

    time.sleep(0.05)
    torch.zeros(32 << 20, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(32 << 20, dtype=torch.uint8)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return (
        torch.get_num_threads(),
        faults,
        tuple(torch.cuda._parse_visible_devices()),
        forkserver._forkserver._forkserver_pid is None,
        os.getpid(),
    )
