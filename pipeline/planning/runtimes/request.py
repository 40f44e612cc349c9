"""What a job's runtime is decided from, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.inference.normalise import Normalisation
from pipeline.interfaces import Device, Locality, Source
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import RuntimeMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRuntime:
    """What runs the network of a job."""

    name: str = "torch"
    """As in ``execution.runtime``; never ``auto``."""
    why: str = ""
    """How that was decided, in words."""
    release: str = ""
    """Release that the store keeps to; empty where it keeps to none."""
    shape: tuple[int, ...] = ()
    """(batch, bands, rows, cols) of the image with which it follows the network's code."""
    memory: RuntimeMemory | None = None
    """What it takes; None where torch sees all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRequest:
    """What a runtime is decided from."""

    requested: str
    """``execution.runtime`` of the config, in which ``compile: true`` is ``compile``."""
    setting: str
    """What the config says, for messages."""
    precision: str
    """``float32``, or what else the network computes in."""
    network: Loaded
    """Folded, where the job runs it so."""
    folded: bool
    """Whether it is."""
    locality: Locality
    """What was measured of it."""
    device: Device
    """Where it is."""
    source: Source
    """The raster."""
    normalisation: Normalisation
    """What becomes of its pixels."""
    limited: bool
    """Whether an area limits what is asked for, so that tiles have many shapes."""
    stored: dict[str, Any]
    """The recipe of the store or of the frozen plan; empty where there is neither."""
