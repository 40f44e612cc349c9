"""Engines, by name: each runs one function over many blocks."""

from __future__ import annotations

from pipeline.config.families import ENGINE_FACTS, ENGINE_KINDS
from pipeline.engines import address, processes, serial, slurm, threads
from pipeline.interfaces import EngineMaker

KINDS: dict[str, EngineMaker] = {
    "serial": serial.engine,
    "threads": threads.engine,
    "processes": processes.engine,
    "slurm": slurm.engine,
    "address": address.engine,
}

ENGINE_KINDS.register(KINDS)

OUT_OF_PROCESS = {name for name, facts in ENGINE_FACTS.items() if facts.out_of_process}
"""Those that run blocks in other processes."""
