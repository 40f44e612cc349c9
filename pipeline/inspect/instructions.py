"""Which instructions of the CPU torch uses: a part of the keys of what is measured with it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

from pipeline.runtime.record_files import recorded, torch_release

CPU_FACTS = Path("/proc/cpuinfo")
FLAG_NAMES = ("flags", "Features")
"""Of the line that lists what a CPU offers: on x86 and on ARM."""
SETTING = "ATEN_CPU_CAPABILITY"
"""Environment variable that lets torch use less than there is."""


def torch_instructions() -> str:
    """Torch's name of the instructions that it uses here, such as AVX512; asked of torch once for each kind of CPU."""
    key = [torch_release(), _offered(), os.environ.get(SETTING, "")]
    return recorded("instructions", key, _asked, str, str)


def _asked() -> str:
    import torch

    return torch.backends.cpu.get_cpu_capability()


@cache
def _offered() -> str:
    """What the CPU offers, as the system lists it."""
    with suppress(OSError):
        for line in CPU_FACTS.read_text().splitlines():
            name, _, values = line.partition(":")
            if name.strip() in FLAG_NAMES:
                return values
    return f"{platform.machine()} {platform.processor()}"
