"""Forked workers compute as started ones do: what they are told by variables is seen by its effects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.runtime import allocator
from tests import commands
from tests.engines.runs import started

pytestmark = pytest.mark.slow

EFFECTS = """
import json, sys
from multiprocessing import forkserver
from pipeline.engines import KINDS
from pipeline.interfaces import EngineOptions
from tests.engines import works
if __name__ == "__main__":
    for threads in map(int, sys.argv[1:]):
        with KINDS["processes"](1, EngineOptions(processes=2, threads=threads, gpus=("3", "7"))) as run:
            print(json.dumps([list(run(works.effects, range(12))), forkserver._forkserver._forkserver_pid]), flush=True)
    sys.stdin.read()
"""


def effects(*threads: int, folder: Path) -> list[tuple[list[list[Any]], int]]:
    """For each engine of one process, one after the other.

    What its workers say, and how many threads the process that forks them has.
    """
    (folder / "effects.py").write_text(EFFECTS)
    command = [sys.executable, str(folder / "effects.py"), *map(str, threads)]
    environment, streams = (
        commands.settled({**os.environ, "OMP_NUM_THREADS": "1"}),
        dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
    )
    with started(command, env=environment, text=True, **streams) as process:
        lines = [json.loads(process.stdout.readline() or process.communicate()[1]) for _ in threads]
        return [(results, psutil.Process(server).num_threads()) for results, server in lines]


@pytest.mark.skipif(not allocator._glibc(), reason="the settings are glibc's")
def test_threads_allocator_and_gpu_of_a_forked_worker_are_those_that_it_is_given(tmp_path: Path) -> None:
    ((results, server),) = effects(2, folder=tmp_path)
    assert {threads for threads, *_ in results} == {2}
    assert max(faults for _, faults, *_ in results) < 1000, "a tensor of 8,192 pages lies where the one before it lay"
    assert {tuple(gpus) for _, _, gpus, *_ in results} == {(3,), (7,)}
    assert server == 1, "only imports ran in the process that forks"


@pytest.mark.nightly("kills")
def test_an_engine_with_other_threads_in_the_same_process_has_these(tmp_path: Path) -> None:
    first, second = effects(1, 2, folder=tmp_path)
    assert {threads for threads, *_ in first[0]} == {1}
    assert {threads for threads, *_ in second[0]} == {2}
