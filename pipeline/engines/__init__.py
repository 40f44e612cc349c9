"""Engines, by name: each runs one function over many blocks."""

from __future__ import annotations

from pipeline.engines import address, processes, serial, slurm, threads
from pipeline.interfaces import EngineMaker

KINDS: dict[str, EngineMaker] = {
    "serial": serial.engine,
    "threads": threads.engine,
    "processes": processes.engine,
    "slurm": slurm.engine,
    "address": address.engine,
}

OUT_OF_PROCESS = {"processes", "slurm", "address"}
"""Those that run blocks in other processes."""
