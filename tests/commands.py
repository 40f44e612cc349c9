"""The public command, and other programs in Python, each in a process of its own.

Forked from one that has imported everything, where that is the same to it.

``Command`` is ``subprocess.Popen`` and ``run`` is ``subprocess.run``. A forked process is a child of this one, and has
a pid, signals, an exit code and descriptors as any other. What only a true start shows (the entry point, what is
imported, how the process starts itself anew) asks for it by ``fork=False``.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.runtime import allocator

ROOT = Path(__file__).resolve().parents[1]
READ_AT_START = (
    "OMP_",
    "GOMP_",
    "KMP_",
    "OPENBLAS_",
    "MKL_",
    "GLIBC_TUNABLES",
    "MALLOC_",
    "LD_",
    "PYTHON",
    "LC_",
    "LANG",
    "DASK_",
    "TORCH",
    "PYTORCH_",
    "CUDA_",
    "PROJ_",
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
)
"""Beginnings of the variables that a library, or the interpreter, reads when it is loaded: a process with others is
started, not forked."""
SET_BY_IMPORTS = ("PYTORCH_NVML_BASED_CUDA_CHECK", "TORCHINDUCTOR_CACHE_DIR")
"""Of these the two that Lightning and torch set in the process that imports them."""
UNLIKE_A_FORK = {
    "preexec_fn": None,
    "pass_fds": (),
    "shell": False,
    "uid": None,
    "gid": None,
    "gids": None,
    "umask": -1,
    "process_group": -1,
    "executable": None,
}
"""Arguments of ``Popen`` that only a start takes, and what they are by default."""
PR_SET_CHILD_SUBREAPER = 36


class Command(subprocess.Popen[Any]):
    """A program in Python; ``args`` begin with ``sys.executable``."""

    def __init__(self, args: list[str], *, fork: bool = True, **options: Any) -> None:
        self.fork = fork
        super().__init__(args, **options)

    def wait_for(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Wait until something holds, or the process has ended; fails where neither comes."""
        deadline = time.monotonic() + seconds
        while not condition() and self.poll() is None:
            assert time.monotonic() < deadline, f"{self.args} neither came so far nor ended"
            time.sleep(0.005)

    def _execute_child(self, *given: Any) -> None:
        call = inspect.signature(super()._execute_child).bind(*given).arguments  # type: ignore[misc]
        environment = lasting(call["args"], os.environ if call["env"] is None else call["env"])
        if not (self.fork and can_fork(call, environment)):
            super()._execute_child(*given)  # type: ignore[misc]
            return
        ends = (call["p2cread"], call["c2pwrite"], call["errwrite"])
        self.pid = server().fork(call["args"][1:], environment, call["cwd"], ends, call["start_new_session"])
        self._child_created = True
        self._close_pipe_fds(
            *(call[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"))
        )


def run(
    args: list[str], *, timeout: float = 300, check: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a program in Python to its end, without an input unless one is given; one that takes longer is killed."""
    with Command(
        args,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def wholecloth(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """``python -m pipeline`` with these arguments, to its end."""
    return run([sys.executable, "-m", "pipeline", *map(str, args)], **options)


def can_fork(call: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether a forked process is the same as one that is started."""
    args = call["args"]
    if (
        not hasattr(os, "sched_getaffinity")
        or not isinstance(args, list)
        or args[0] != sys.executable
        or not all(isinstance(arg, str) for arg in args)
    ):
        return False
    if any(call.get(name, default) != default for name, default in UNLIKE_A_FORK.items()) or not call["close_fds"]:
        return False
    if args[1].startswith("-") and args[1] not in ("-m", "-c"):
        return False
    return read_at_start(environment) == server().environment and os.sched_getaffinity(0) == server().cores


def lasting(args: object, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that a program has after it has started itself anew, which of them only the public command
    does."""
    own = isinstance(args, list) and args[1:3] == ["-m", "pipeline"]
    return settled(environment) if own else dict(environment)


def settled(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that the public command comes to run in, with its settings of the allocator."""
    return {"OMP_WAIT_POLICY": "passive", **(allocator.env_with_settings(environment) or environment)}


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are read when a process starts."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name not in SET_BY_IMPORTS
    }


@cache
def server() -> Server:
    """The server of this process, started with the first command."""
    return Server()


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = settled(os.environ)
        self.environment, self.cores = read_at_start(environment), os.sched_getaffinity(0)
        self.limits, self.turn = limits(), threading.Lock()
        command = [sys.executable, str(ROOT / "tests" / "fork_server.py"), str(theirs.fileno())]
        self.process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        atexit.register(self.close)

    def fork(
        self, arguments: list[str], environment: dict[str, str], folder: object, ends: tuple[int, ...], session: bool
    ) -> int:
        """The pid of a new child of this process, which runs ``python ARGUMENTS``.

        ``ends`` are its stdin, stdout and stderr, −1 for those of this process.
        """
        places = {
            place: end if end != -1 else place for place, end in enumerate(ends) if end != -1 or is_inherited(place)
        }
        request = {
            "arguments": arguments,
            "environment": environment,
            "folder": os.fspath(folder or os.getcwd()),
            "session": session,
            "open": list(places),  # type: ignore[call-overload]
            "mask": list(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "limits": [row for row in limits() if row not in self.limits],
        }
        subreaper(True)
        try:
            return int(self.ask(request, list(places.values())))
        finally:
            subreaper(False)

    def threads(self) -> list[str]:
        """Names of the threads of the server."""
        return list(self.ask("threads", []))

    def ask(self, request: object, descriptors: list[int]) -> Any:
        with self.turn:
            socket.send_fds(self.channel, [json.dumps(request).encode()], descriptors)
            answer = self.channel.recv(1 << 12)
        assert answer, "the fork server has ended"
        return json.loads(answer)

    def close(self) -> None:
        """End the server; what it forked goes on."""
        self.channel.close()
        self.process.wait(20)


def limits() -> list[tuple[int, list[int]]]:
    """Every limit of this process's resources, by its number."""
    numbers = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})
    return [(number, list(resource.getrlimit(number))) for number in numbers]


def is_inherited(descriptor: int) -> bool:
    """Whether this process has a descriptor open, and children get it."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def subreaper(wanted: bool) -> None:
    """Make this process the parent of descendants whose own parent ends, or no longer.

    Https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
