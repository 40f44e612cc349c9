import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import allocator
from pipeline.job import prepare
from pipeline.load_config import load
from pipeline.models.loaded import Loaded
from pipeline.progress import Progress
from pipeline.run import execute
from tests import scenes

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


def test_a_network_is_measured_and_run_by_one_thread_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = Loaded.__call__, set()
    monkeypatch.setattr(Loaded, "__call__", lambda network, x: (seen.add(threading.get_ident()), real(network, x))[1])
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    with Progress() as progress:
        execute(prepare(load(scenes.config(tmp_path, execution={"engine": "threads"}))), progress)
    assert len(seen) == 1
    assert seen != {threading.get_ident()}
