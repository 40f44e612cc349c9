"""A forked command is the command.

What a process has of its parent, what it prints, how it ends and what it writes are the same both ways.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import commands, runs, scenes
from tests.commands import Command, run, settled, wholecloth
from tests.conftest import hear_interrupts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every command is started"),
]

FACTS = """
import json, os, resource, signal, stat, sys, tempfile, threading
def kind(fd):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return None
    if os.readlink(f"/proc/self/fd/{fd}").endswith("proj.db"):
        return None  # which PROJ opens in every process that imports it
    return stat.S_IFMT(mode), os.isatty(fd)
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "path": sys.path, "name": __name__,
    "folder": os.getcwd(), "temporary": tempfile.gettempdir(),
    "environment": {name: value for name, value in os.environ.items() if name not in ("GDAL_CACHEMAX", "_")},
    "parent": os.getppid(),
    "group is parent's": os.getpgid(0) == os.getpgid(os.getppid()), "leads a session": os.getsid(0) == os.getpid(),
    "descriptors": {fd: kind(fd) for fd in range(64)},
    "closed": [stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "streams": [
        (s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines) for s in (sys.stdin, sys.stderr) if s
    ],
    "limits": [resource.getrlimit(number) for number in range(16)],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "signals": {
        n.name: str(signal.getsignal(n)).split(" at ")[0]
        for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)
    },
    "umask": os.umask(0),
    "threads": threading.active_count(), "cores": sorted(os.sched_getaffinity(0)), "flags": list(sys.flags),
}))
"""


def facts(fork: bool, **options: Any) -> dict[str, Any]:
    """What a process sees of itself."""
    done = run([sys.executable, "-c", FACTS, "a b", "--set"], fork=fork, **{"env": settled(os.environ), **options})
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@contextmanager
def no_input() -> Iterator[None]:
    """Stdin of this process is closed."""
    kept = os.dup(0)
    os.close(0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@contextmanager
def few_files() -> Iterator[None]:
    """This process may open fewer files than when the server was started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 7, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def blocked() -> Iterator[None]:
    """This thread holds a signal back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


OTHER = {"HOME": "/nowhere", "TMPDIR": "/var/tmp", "TZ": "UTC+3"}
CALLS: dict[str, tuple[Callable[[], AbstractContextManager[None]], dict[str, Any]]] = {
    "as it is": (nullcontext, {}),
    "a pipe": (nullcontext, {"stdin": subprocess.PIPE}),
    "no input": (no_input, {"stdin": None}),
    "few files": (few_files, {}),
    "a blocked signal": (blocked, {}),
    "a session of its own": (nullcontext, {"start_new_session": True}),
    "one pipe for both": (nullcontext, {"stderr": subprocess.STDOUT}),
    "another folder": (nullcontext, {"cwd": "/"}),
    "another environment": (nullcontext, {"env": {**settled(os.environ), **OTHER}}),
}


@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("call", CALLS)
def test_a_forked_process_has_of_its_parent_what_a_started_one_has(call: str) -> None:
    around, options = CALLS[call]
    with around():
        assert facts(True, **options) == facts(False, **options)


def test_only_imports_ran_before_a_fork() -> None:
    """A thread of the server is missing in what it forks, which waits for it.

    OpenBLAS alone stops its own before a fork and starts them again after it.
    """
    libraries = (
        "import os, numpy, scipy.linalg; numpy.ones((2, 2)) @ numpy.ones((2, 2)); "
        "print(len(os.listdir('/proc/self/task')))"
    )
    of_blas = int(run([sys.executable, "-c", libraries], fork=False).stdout)
    wholecloth("schema")
    assert commands.server().threads() == ["python"] * of_blas


CHANGES = [
    "OMP_NUM_THREADS=3",
    "MALLOC_ARENA_MAX=1",
    "GLIBC_TUNABLES=glibc.malloc.arena_max=2",
    "LD_BIND_NOW=1",
    "PYTHONHASHSEED=7",
]


@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_read_when_a_process_starts_asks_for_a_start(change: str) -> None:
    assert forks()
    assert not forks(env={**settled(os.environ), **dict([change.split("=", 1)])})


def test_other_cores_ask_for_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forks()
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {4096})
    assert not forks()


def forks(**options: Any) -> bool:
    """Whether a process with these options is forked: one that is started has not imported torch."""
    done = run(
        [sys.executable, "-c", "import sys; print('torch' in sys.modules)"], **{"env": settled(os.environ), **options}
    )
    return bool(done.stdout == "True\n")


def test_a_suite_that_a_shell_put_into_the_background_hears_interrupts() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        hear_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_forked_process_is_a_child_with_a_pid_and_signals_of_its_own() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with Command(
            [sys.executable, "-c", code],
            env=settled(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{process.pid}\n"
            assert process.poll() is None
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == -number
        assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)


@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize(
    "code",
    [
        "print('a'); raise SystemExit(3)",
        "raise ValueError('no such tile')",
        "import sys; sys.exit('said and gone')",
        "import os; os._exit(9)",
        "pass",
        "import atexit; atexit.register(print, 'at the end')",
        "import os; os.abort()",
        "print(input())",
        "import sys; sys.stdout.write('no end of line')",
    ],
)
def test_a_process_ends_as_it_would(code: str) -> None:
    forked, started = (run([sys.executable, "-c", code], fork=fork, env=settled(os.environ)) for fork in (True, False))
    assert (forked.returncode, forked.stdout, last(forked.stderr)) == (
        started.returncode,
        started.stdout,
        last(started.stderr),
    )


def last(text: str) -> str:
    """The last line: a traceback of a forked process has the frames of the server as well."""
    return (text.splitlines() or [""])[-1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same job in two folders."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("forked", "started"))
    for folder in (first, second):
        torch.manual_seed(0)
        scenes.config(folder, **runs.CONFIG)
    return first, second


COMMANDS = [
    "schema",
    "--debug run nowhere.yaml",
    "run job.yaml --set execution.memory=64MiB",
    "run job.yaml",
    "run job.yaml --log-format json",
    "status job.zarr --json",
    "verify job.zarr --windows=2",
]
"""In this order: each finds what those before it left."""


@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("command", COMMANDS)
def test_both_ways_give_the_same_output_exit_code_and_store(folders: tuple[Path, Path], command: str) -> None:
    forked, started = (outcome(command, folder, fork) for folder, fork in zip(folders, (True, False), strict=True))
    assert forked == started
    assert runs.arrays(folders[0] / "job.zarr") == runs.arrays(folders[1] / "job.zarr")


def outcome(command: str, folder: Path, fork: bool) -> tuple[int, str, str]:
    """Exit code, stdout and stderr, without the folder and what is measured; of a traceback the last line."""
    done = wholecloth(*command.split(), cwd=folder, fork=fork)
    errors = last(done.stderr) if "--debug" in command else done.stderr
    return done.returncode, *(steady(text.replace(str(folder), "FOLDER")) for text in (done.stdout, errors))


MEASURED = "|".join(
    [
        r"device: .*",
        r"\d+(\.\d+)? ?(%|s\b|Mpx/s|[KMGT]iB|min)",
        r"process \d+",
        r'"(time|seconds|size|mpx_per_s|pid|process|host|created|\w*memory\w*|\w*seconds\w*)": ?("[^"]*"|[^,}\]]*)',
    ]
)
"""Times, rates, sizes of memory and process numbers, in words and in JSON."""


def steady(text: str) -> str:
    """A text without what is measured."""
    return re.sub(MEASURED, "#", text)
