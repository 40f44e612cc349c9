"""A process that has imported what commands import, and becomes a command by a fork.

``python fork_server.py FD`` takes requests from the socket that it inherits as ``FD``; ``tests.commands`` is the other
side. Only imports run here: no operator of torch, no dataset, no client, no event loop. Whatever starts a thread would
leave the children without that thread, and they would wait for it.
"""

from __future__ import annotations

import sys

del sys.path[0]  # names of tests are names of libraries, too

import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import runpy
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch",
    "rasterio",
    "zarr",
    "distributed",
    "dask.__main__",
    "skimage.measure",
    "pyproj",
    "psutil",
    "obstore.store",
    "yaml",
)
"""Beside the modules of the package."""
LIGHTNING = ("pipeline.train.trainer", "pipeline.train.checkpoint", "pipeline.train.module", "pipeline.train.train")
"""Modules that import Lightning, which takes longer than all others."""
XARRAY = ("pipeline.quality.scene",)
"""Modules that import xarray, and by it pyarrow, whose allocator starts a thread."""
SET_BY_IMPORTS = "GDAL_CACHEMAX"
"""The variable that an import sets, whatever it was before."""
REQUEST_BYTES = 1 << 17


def import_all() -> None:
    """Import what a command may need: a child shares the memory of it and spares the time."""
    gc.disable()  # imports leave no garbage to speak of, and to look for it takes a quarter of their time
    import pipeline

    modules = [module.name for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
    for name in (*LIBRARIES, *modules):
        if name not in ("pipeline.__main__", *LIGHTNING, *XARRAY) and importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    gc.enable()
    gc.collect()
    # a collection in a child would write to, and so copy, every page with an object:
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.freeze()


def serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Answer requests until the other side is gone.

    Returns in the forked process only: the request that it is to become, and its standard descriptors.
    """
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, REQUEST_BYTES, 3)
        if not data:
            os._exit(0)
        request = json.loads(data)
        pid = 0 if request == "threads" else fork_orphan()
        if pid == 0 and request != "threads":
            channel.close()
            return request, descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(json.dumps(pid or threads()).encode())


def threads() -> list[str]:
    """Names of the threads of this process, as the kernel has them."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


def fork_orphan() -> int:
    """Fork a process whose parent has ended, so that the subreaper above becomes its parent.

    Returns the pid, and 0 in that process.
    """
    read, write = os.pipe()
    between = os.fork()
    if between == 0:
        parent, child = os.getpid(), os.fork()
        if child:
            os.write(write, str(child).encode())
            os._exit(0)
        while os.getppid() == parent:
            time.sleep(0.0005)
    else:
        os.waitpid(between, 0)
    pid = int(os.read(read, 32)) if between else 0
    os.close(read)
    os.close(write)
    return pid


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Take over what a command has of its parent: session, descriptors, limits, signals, folder and environment."""
    if request["session"]:
        os.setsid()
    place_standard(request["open"], descriptors)
    open_standard(request["open"])
    for name, limits in request["limits"]:
        resource.setrlimit(name, tuple(limits))
    os.chdir(request["folder"])
    set_environment(request["environment"])
    forget_parent()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])


def place_standard(places: list[int], descriptors: list[int]) -> None:
    """Make descriptors, all of which lie above 2, those of stdin, stdout and stderr, as far as ``places`` names them.

    Nothing else is closed but the socket: what imports opened, as PROJ does its database, they hold in any process.
    """
    for place in range(3):
        if place in places:
            os.dup2(descriptors[places.index(place)], place)
        else:
            os.close(place)
    for descriptor in descriptors:
        os.close(descriptor)


def open_standard(places: list[int]) -> None:
    """Open ``sys.stdin``, ``stdout`` and ``stderr`` as Python opened those of this process.

    None where one is closed.
    """
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        own, stream = getattr(sys, f"__{name}__"), None
        if place in places:
            unbuffered = isinstance(own.buffer, io.FileIO)
            buffer = open(place, "wb" if place else "rb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115  # it stays open
            lines = own.line_buffering or (os.isatty(place) and not unbuffered)
            stream = io.TextIOWrapper(
                buffer, own.encoding, own.errors, line_buffering=lines, write_through=own.write_through
            )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def set_environment(environment: dict[str, str]) -> None:
    """Replace the environment, and set again what imports set."""
    imported = os.environ[SET_BY_IMPORTS]
    os.environ.clear()
    os.environ.update({**environment, SET_BY_IMPORTS: imported})
    time.tzset()


def forget_parent() -> None:
    """Set anew what modules have kept of the process that imported them."""
    from multiprocessing import process

    from pipeline.runtime import resources

    process.ORIGINAL_DIR = os.getcwd()
    tempfile.tempdir = None
    resources._BEGAN = time.monotonic()


def run(arguments: list[str]) -> None:
    """Run what follows ``python``: ``-m MODULE …``, ``-c CODE …`` or ``FILE …``."""
    sys.orig_argv, (first, *rest) = [sys.executable, *arguments], arguments
    if first == "-m":
        sys.argv[:] = rest
        sys.path.insert(0, os.getcwd())  # where Python puts it
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv[:] = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.argv[:] = arguments
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Ctrl-C goes to the whole group; this process ends when the tests do
        signal.signal(signal.SIGINT, lambda *_: None)
    import_all()
    to_become, standard = serve(socket.socket(fileno=int(sys.argv[1])))
    become(to_become, standard)
    run(to_become["arguments"])
