import os
import subprocess
import sys

import pytest

from pipeline.runtime import allocator
from pipeline.runtime.allocator import (
    MALLOC_TUNABLES,
    env_with_settings,
    env_without_settings,
    reexec_with_malloc_settings,
)

FAULTS = """
import resource, torch
x = torch.rand(1, 8, 1024, 1024)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    x.add(1).mul(2).add(3)
before = faults()
for _ in range(8):
    x.add(1).mul(2).add(3)
print(faults() - before)
"""
PAGES = 8 * 1024 * 1024 * 4 // 4096
"""Of one of its tensors."""


def test_settings_are_added_to_what_the_environment_says() -> None:
    assert env_with_settings({"A": "1"}) == {"A": "1", "GLIBC_TUNABLES": MALLOC_TUNABLES}
    assert env_with_settings({"GLIBC_TUNABLES": "glibc.rtld.nns=4"}) == {
        "GLIBC_TUNABLES": f"glibc.rtld.nns=4:{MALLOC_TUNABLES}"
    }


@pytest.mark.parametrize(
    "chosen",
    [{"MALLOC_ARENA_MAX": "2"}, {"GLIBC_TUNABLES": "glibc.malloc.perturb=1"}, {"WHOLECLOTH_ALLOCATOR": "system"}],
)
def test_what_somebody_chose_is_left_alone(chosen: dict[str, str]) -> None:
    assert env_with_settings(chosen) is None


def test_a_command_is_started_again_only_once() -> None:
    made = env_with_settings({})
    assert made is not None
    assert env_with_settings(made) is None


@pytest.mark.parametrize("given", [{}, {"A": "1"}, {"GLIBC_TUNABLES": "glibc.rtld.nns=4"}])
def test_a_probe_runs_without_the_settings(given: dict[str, str]) -> None:
    made = env_with_settings(given)
    assert made is not None
    assert env_without_settings(made) == given


def test_the_same_command_is_started_with_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "pipeline", "run", "my job.yaml"])
    monkeypatch.setattr(allocator, "_glibc", lambda: True)
    reexec_with_malloc_settings(lambda path, words, environ: started.append((path, words)))
    assert started == [(sys.executable, [sys.executable, "-m", "pipeline", "run", "my job.yaml"])]


@pytest.mark.slow
@pytest.mark.nightly("scale")
@pytest.mark.skipif(not allocator._glibc(), reason="the settings are glibc's")
def test_freed_tensors_are_used_again_without_new_pages() -> None:
    chosen = {
        name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES" and not name.startswith("MALLOC_")
    }
    kept = env_with_settings(chosen)
    assert kept is not None
    faults = [
        int(subprocess.run([sys.executable, "-c", FAULTS], env=env, capture_output=True, text=True, check=True).stdout)
        for env in (chosen, kept)
    ]
    assert faults[0] > 8 * PAGES > 100 * max(faults[1], 1)


@pytest.mark.skipif(not allocator._glibc(), reason="the settings are glibc's")
def test_the_process_stays_the_same() -> None:
    script = (
        "import os; from pipeline.runtime.allocator import reexec_with_malloc_settings as keep; "
        "print(os.getpid(), flush=True); keep(); print(os.environ['GLIBC_TUNABLES'])"
    )
    env = {
        name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES" and not name.startswith("MALLOC_")
    }
    first, second, settings = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    ).stdout.split()
    assert (first, settings) == (second, MALLOC_TUNABLES)


@pytest.mark.parametrize(("chosen", "waits"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_do_not_spin_while_they_wait_unless_somebody_wants_it(chosen: dict[str, str], waits: str) -> None:
    script = (
        "import os, pipeline.cli; from pipeline import __main__; pipeline.cli.main = lambda: "
        "print(os.environ['OMP_WAIT_POLICY']); __main__.main()"
    )
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | chosen
    done = subprocess.run(
        [sys.executable, "-c", script, "status", "/nowhere"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == waits


@pytest.mark.slow
def test_every_command_settles_it_first() -> None:
    kept = "lambda: print('kept', 'pipeline.cli' in sys.modules)"
    script = (
        f"import sys; from pipeline import __main__; __main__.reexec_with_malloc_settings = {kept}; __main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "status", "/nowhere"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "kept False\n")
