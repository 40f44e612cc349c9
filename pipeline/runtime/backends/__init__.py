"""Kinds of devices, by torch's name of them.

The other rooms ask a row of this table, and compare no names of devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import ModelError
from pipeline.runtime.backends.base import Backend
from pipeline.runtime.backends.cpu import Cpu
from pipeline.runtime.backends.cuda import Cuda

if TYPE_CHECKING:
    from pipeline.interfaces import Device

KINDS: dict[str, Backend] = {"cpu": Cpu(), "cuda": Cuda()}
"""Of two kinds that a machine has, the later one computes faster."""


def backend_of(device: Device | str) -> Backend:
    """The row of a device, whether this machine has the device or not.

    Raises
    ------
    ModelError
        No row drives devices of this kind.
    """
    kind = str(device).partition(":")[0]
    if kind not in KINDS:
        raise ModelError(
            f"execution.device is {str(device)!r}, and no backend drives devices of this kind. Use {choices()}."
        )
    return KINDS[kind]


def fastest() -> Backend:
    """The row that ``execution.device: auto`` takes: the last one of which this machine has a device."""
    return next(backend for backend in reversed(KINDS.values()) if backend.available())


def choices() -> str:
    """What ``execution.device`` may be, for messages: cpu, cuda:0 or auto."""
    return f"{', '.join(backend.first for backend in KINDS.values())} or auto"


def several_devices() -> bool:
    """Whether this machine has a kind of device of which a process can use several."""
    return any(backend.numbered and backend.available() for backend in KINDS.values())


def visible_environment(name: str) -> dict[str, str]:
    """Environment of a process that sees one numbered device and no other.

    Parameters
    ----------
    name
        As the driver names the device, from `Backend.visible`.
    """
    return {backend.visible_variable: name for backend in KINDS.values() if backend.visible_variable}
