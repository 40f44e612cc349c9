import os
import subprocess
import sys

import pytest

from pipeline import allocator

SIZE = 256 * 2**20
FAULTS = f"""
import psutil, sys, torch
from pipeline.stages.device import make_room, on_device
if sys.argv[1] == "ahead":
    make_room({SIZE})
on_device(lambda: None)
resident = lambda: psutil.Process().memory_info().rss
before = resident()
held = on_device(lambda: torch.empty({SIZE // 2}, dtype=torch.uint8).fill_(1))
print(resident() - before)
"""


@pytest.mark.skipif(not allocator._glibc(), reason="the settings are glibc's")
def test_memory_that_is_laid_out_ahead_is_there_for_the_first_tile() -> None:
    env = allocator.environment({name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES" and not name.startswith("MALLOC_")})
    grown = [int(subprocess.run([sys.executable, "-c", FAULTS, how], env=env, capture_output=True, text=True, check=True).stdout) for how in ("ahead", "not")]
    assert grown[0] < SIZE / 20
    assert grown[1] > SIZE / 3
