"""Which files are opened while a network is made: by an audit hook, whoever opens them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xxhash

import pipeline
from pipeline.models.repository.installed import distribution, is_standard

SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/share/", "/run/", "/var/lib/")
"""Of the machine, which tells nothing of a network."""
SHARED = "/dev/shm/"  # noqa: S108  # nothing is written there by us
"""A folder in memory, for files like any other."""
COMPILED = (".pyc", ".pyo")
"""Made from sources, which count themselves."""
_PACKAGE = Path(pipeline.__file__).resolve().parent
"""Our own sources: Python opens them only where it has not compiled them yet, and they count by their revision."""
_writes = os.O_WRONLY | os.O_RDWR
_recording = threading.local()
_lock = threading.Lock()
_hooked = False


class _Archive(torch._C.PyTorchFileReader):
    """Torch's reader of exported programs, compiled libraries and packages.

    A file that it is given by its path is told.
    """

    def __init__(self, file: Any) -> None:
        if isinstance(file, str | os.PathLike):
            _audit("open", (os.fspath(file), "rb", 0))
        super().__init__(file)


@contextmanager
def record_opened_files(into: set[str]) -> Iterator[None]:
    """Add to a set what this thread opens for reading meanwhile."""
    _hook()
    previous, _recording.into = getattr(_recording, "into", None), into
    read_script, reader = torch._C.import_ir_module, torch._C.PyTorchFileReader
    # torch reads scripts and archives by itself, of which no hook is told
    torch._C.import_ir_module = _recording_reader(read_script)
    torch._C.PyTorchFileReader = _Archive  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        torch._C.import_ir_module, torch._C.PyTorchFileReader = read_script, reader  # type: ignore[misc]
        _recording.into = previous


@contextmanager
def without_recording() -> Iterator[None]:
    """What is opened meanwhile is not recorded: code, which counts by itself."""
    previous, _recording.into = getattr(_recording, "into", None), None
    try:
        yield
    finally:
        _recording.into = previous


def digests(paths: Iterable[str]) -> dict[str, str]:
    """XXH3 of each file that tells something of a network, by its path.

    Others, and those that are gone again, are left out.
    """
    files = sorted({Path(path).resolve() for path in paths})
    return {str(file): file_digest(file) for file in files if _is_relevant(file)}


def digests_by_file_name(digests: dict[str, str]) -> dict[str, str]:
    """The same by the names of files alone: a network that was moved is the same network."""
    names = sorted({Path(path).name for path in digests})
    return {
        name: " ".join(sorted(digest for path, digest in digests.items() if Path(path).name == name)) for name in names
    }


def file_digest(file: Path) -> str:
    """XXH3 of a file, 128 bits in hex; damage is sought, not malice."""
    state = xxhash.xxh3_128()
    with without_recording(), file.open("rb") as data:
        while chunk := data.read(2**22):
            state.update(chunk)
    return state.hexdigest()


def file_arguments(args: Any) -> Iterator[str]:
    """Files that arguments name: libraries in C open them without a word to Python."""
    if isinstance(args, dict | list | tuple):
        for value in args.values() if isinstance(args, dict) else args:
            yield from file_arguments(value)
    elif isinstance(args, str | Path) and 0 < len(str(args)) < 4096 and "\0" not in str(args) and Path(args).is_file():
        yield str(Path(args).absolute())


def _is_relevant(file: Path) -> bool:
    if (
        (str(file).startswith(SYSTEM) and not str(file).startswith(SHARED))
        or file.suffix in COMPILED
        or not file.is_file()
    ):
        return False
    return _PACKAGE not in file.parents and not is_standard(file) and distribution(file) is None


def _hook() -> None:
    """Once for a process: a hook of Python's can not be taken away."""
    global _hooked
    with _lock:
        if not _hooked:
            sys.addaudithook(_audit)
            _hooked = True


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event != "open":
        return
    into = getattr(_recording, "into", None)
    if (
        into is not None
        and isinstance(args[0], str | bytes | os.PathLike)
        and not (isinstance(args[2], int) and args[2] & _writes)
    ):
        into.add(str(Path(os.fsdecode(args[0])).absolute()))


def _recording_reader(read: Any) -> Any:
    def recording_reader(unit: Any, path: Any, *rest: Any) -> Any:
        _audit("open", (os.fspath(path), "rb", 0))
        return read(unit, path, *rest)

    return recording_reader
