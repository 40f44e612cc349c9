import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.runtime import resources

READ = "from pipeline.runtime import resources; print(resources.peak_resident())"
LARGE = 600 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts no other way")
def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = f"held = bytearray({LARGE}); held[::4096] = b'x' * len(held[::4096])"
    start = f"import subprocess, sys; {held}; subprocess.run([sys.executable, '-c', {READ!r}], check=True)"
    said = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True).stdout
    assert 0 < int(said) < LARGE / 2


@pytest.mark.slow
def test_the_peak_grows_with_what_is_held() -> None:
    held = (
        "before = resources.peak_resident(); held = bytearray(before + 64 * 2**20); held[::4096] = b'x' "
        "* len(held[::4096])"
    )
    # in a process of its own, which has a peak of little
    grow = f"from pipeline.runtime import resources; {held}; print(resources.peak_resident() - before)"
    assert int(subprocess.run([sys.executable, "-c", grow], capture_output=True, text=True, check=True).stdout) > 0


@pytest.mark.slow
def test_the_age_is_that_of_the_process_whatever_the_clock_on_the_wall_says() -> None:
    late = (
        "import time; time.sleep(0.5); time.time = lambda: 0.0; from pipeline.runtime import resources; "
        "print(resources.process_age())"
    )
    said = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, check=True).stdout
    assert 0.5 <= float(said) < 600


@pytest.mark.parametrize(
    ("quota", "asked", "cores"),
    [("max 100000", "", 8), ("250000 100000", "", 3), ("50000 100000", "", 1), ("max 100000", "2", 2), ("x", "4,2", 4)],
)
def test_cores_are_those_that_may_be_used(
    quota: str, asked: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert resources.cores() == cores


@pytest.mark.skipif(resources.heap_in_use() == 0, reason="the C library does not tell")
def test_what_is_allocated_in_the_heap_is_in_use_until_it_is_freed() -> None:
    settings = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0"}
    code = (
        "from pipeline.runtime.resources import heap_in_use as used; a = used(); b = bytearray(2**26); c = used(); "
        "del b; print(c - a, used() - a)"
    )
    output = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    with_it, without = map(int, output.stdout.split())
    assert with_it >= 2**26 > 2**20 > without


def test_the_default_budget_leaves_the_heap_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "trim_heap", lambda: pytest.fail("the next job would lay out its memory anew"))
    assert 0 < resources.default_budget() <= resources.MEMORY_SHARE * psutil.virtual_memory().total
