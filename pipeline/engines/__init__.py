"""Ways to run one function over many blocks, by name."""

from __future__ import annotations

from pipeline.engines import serial, threads
from pipeline.protocols import EngineMaker

KINDS: dict[str, EngineMaker] = {"serial": serial.engine, "threads": threads.engine}
