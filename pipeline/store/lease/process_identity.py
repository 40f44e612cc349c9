"""Which process has a lease, told apart from every other of any machine.

It is told as well whether the process is gone, as far as that can be seen from here.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

HOLDER_VERSION = 1
_DEAD_STATES, _STOPPED_STATES = "ZXx", "Tt"
"""States of a process in ``/proc``: ended and not yet forgotten; frozen by a signal or a debugger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that holds a lease, in its own words."""

    token: str
    """Of this lease, and of no other."""
    work: str
    """What it does, in words."""
    host: str
    boot: str
    """Id of the boot of its kernel; empty where there is none."""
    namespace: str
    """Of its process ids: containers of one machine have the same boot, and each a process 1."""
    pid: int
    started: int
    """When the process began, in ticks after the boot: ids are given to others again."""
    since: str
    """By its own clock, for people: nothing is concluded from it."""
    patience: float
    """Seconds without a heartbeat after which it may be taken for dead."""
    version: int = HOLDER_VERSION

    def __str__(self) -> str:
        return f"{self.work} (process {self.pid} on {self.host}, since {self.since} by the clock there)"

    def dump(self) -> bytes:
        """As it stands in the store."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def this_process(work: str, patience: float) -> Holder:
    """What this process says of itself, with a token of its own."""
    process = _process(os.getpid())
    return Holder(
        token=uuid.uuid4().hex,
        work=work,
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=os.getpid(),
        started=process[1] if process else 0,
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        patience=patience,
    )


def parse_holder(data: bytes, key: str, patience: float) -> Holder:
    """From `Holder.dump`; what cannot be read is held by somebody unknown, named by its key, who must be waited for."""
    try:
        return Holder(**json.loads(data))
    except (ValueError, TypeError):
        return Holder(
            token=key,
            work=f"a lease that cannot be read, {key}",
            host="?",
            boot="",
            namespace="",
            pid=0,
            started=0,
            since="?",
            patience=patience,
        )


def is_alive(holder: Holder) -> bool | None:
    """Whether a process is at work: True or False where that is certain, None where only its heartbeat can tell.

    That is so for other machines and other containers, and for a process that is frozen: it may be so for ever.
    """
    if not (holder.boot and holder.namespace) or (holder.host, holder.boot, holder.namespace) != (
        socket.gethostname(),
        _boot(),
        _namespace(),
    ):
        return None
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's: it is there all the same
        pass
    process = _process(holder.pid)
    if process is None:  # hidden from us, or gone just now
        return None
    state, start_time = process
    if start_time != holder.started or state in _DEAD_STATES:
        return False
    return None if state in _STOPPED_STATES else True


def _process(pid: int) -> tuple[str, int] | None:
    """State and start of a process, in ticks after the boot, as Linux tells them."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        state, *rest = text.rpartition(")")[2].split()  # a command may be called anything
        return state, int(rest[18])
    except (OSError, ValueError, IndexError):
        return None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """Empty where ``/proc`` is that of another namespace, so that its numbers mean nothing here."""
    try:
        return (
            str(Path("/proc/self/ns/pid").readlink()) if str(Path("/proc/self").readlink()) == str(os.getpid()) else ""
        )
    except OSError:
        return ""
