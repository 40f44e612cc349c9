"""How a command ends: errors become exit codes.

Signals, and the end of the time that it has, stop what is under way.
"""

from __future__ import annotations

import errno
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipeline import __version__
from pipeline.errors import PipelineError
from pipeline.privacy.concealed import concealed, safe_text
from pipeline.runtime import log
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.import_faults import fault

RERUN_ADVICE = "Everything committed is kept; run the same command again to go on."
MIN_TIMER_S = 1e-3
"""Of a time that has passed already: a timer of 0 s would never go off."""

_received: list[int] = []
"""Signals that asked the run to stop."""
_stop_messages = {signal.SIGINT: "Stopped.", signal.SIGTERM: "Stopped by SIGTERM."}
"""Why each of them stops it."""


class Stop(BaseException):
    """The run is to end. No error: whoever catches what libraries and networks raise must not take it for theirs."""


def run_and_exit(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process as it says."""
    try:
        code = command()
        if code == 130:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        code = _stopped(signal.SIGINT)
    except Stop:
        code = _stopped(_received[0])
    except Exception as error:
        if "--debug" in sys.argv and not _received and not _to_machines():
            print(concealed("".join(traceback.format_exception(error))), end="", file=sys.stderr)
            _leave(1)
        # what breaks while a run is stopped, breaks by that
        code = _stopped(_received[0]) if _received else _print_error(*_explain(error), error)
    _leave(code or 0)


def _leave(code: int) -> NoReturn:
    """End the process at once: all that matters is closed, and taking everything else apart would take half a second.

    Nor does it wait for a thread that still measures or infers, or for a read that hangs.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more, or the disk is full: what was said is not all there
        code = code or 1
    os._exit(code)


def _stopped(number: int) -> int:
    for signal_ in _stop_messages:
        signal.signal(signal_, signal.SIG_IGN)  # it ends as it is; a second one would break into that
    return _print_error(
        f"{_stop_messages[signal.Signals(number)]} {RERUN_ADVICE}", 130 if number == signal.SIGINT else 75
    )


def _explain(error: Exception) -> tuple[str, int]:
    """One paragraph and an exit code."""
    if isinstance(error, PipelineError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # what was typed is no command of ours, in typer's words
        return f"{error.format_message().replace('Value error, ', '')} See wholecloth --help.", 2
    message = f"{type(error).__name__}: {error}".removesuffix(": ")
    if _exhausted(error):
        return (
            f"The machine has no more memory, or threads, for this process ({message}). Free some, or ask "
            f"for less (execution.memory, tile.size). "
            f"{RERUN_ADVICE}",
            75,
        )
    way = fault(error)
    if way is not None:
        return f"A library that this needs cannot be imported here: {way}", 2
    return (
        f"A bug of ours: {message}. What is committed is kept. Please report it with this paragraph, the "
        f"config, and what the same command prints with "
        f"--debug before its name (wholecloth --debug …). {_whereabouts(error)}.",
        70,
    )


def _whereabouts(error: Exception) -> str:
    """Where an error arose, and in which releases."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{type(error).__name__} in {Path(last[0].filename).name}:{last[0].lineno}, " if last else ""
    versions = ", ".join(f"{name} {_release(name)}" for name in ("torch", "rasterio", "zarr", "dask"))
    return f"{where}wholecloth {__version__}, Python {platform.python_version()}, {platform.platform()}, {versions}"


def _release(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _exhausted(error: Exception) -> bool:
    """Whether the system gave no more memory or threads, in the words of Python and torch."""
    is_exhaustion = isinstance(error, RuntimeError) and any(
        text in str(error) for text in ("can't start new thread", "can't allocate memory", "out of memory")
    )
    return (
        is_exhaustion or isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    )


def _print_error(message: str, code: int, error: Exception | None = None) -> int:
    paragraph = safe_text(" ".join(message.split()))
    if _to_machines():
        where = (
            {"traceback": safe_text("".join(traceback.format_exception(error)))}
            if error is not None and "--debug" in sys.argv
            else {}
        )
        paragraph = log.json_line(
            "error", "warning" if code in (130, 75) else "error", message=paragraph, exit_code=code, **where
        )
    print(paragraph, file=sys.stderr)
    return code


def _to_machines() -> bool:
    """Whether JSON is asked for, also by a command line that typer refuses."""
    return "--log-format=json" in sys.argv or ("--log-format", "json") in pairwise(sys.argv)


def install_signal_handlers() -> None:
    """From now on SIGTERM and Ctrl-C stop what is under way."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Stop what is under way, as SIGTERM does, once this process is so old.

    Parameters
    ----------
    seconds
        Since the process was started; None for never. The system's timer counts them, whatever is done to the wall
        clock.
    """
    if seconds is None:
        yield
        return
    from pipeline.runtime.resources import process_age

    _stop_messages[signal.SIGALRM] = f"Stopped: the {seconds:.10g} s of execution.stop_after are over."
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds - process_age(), MIN_TIMER_S))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop at once; and, where Python swallows what is raised (inside a finaliser it does), at the next tile."""
    _received.append(number)
    CANCELLED.set()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stop
