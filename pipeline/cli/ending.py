"""How a command ends: errors become exit codes, signals stop what is under way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from pipeline.errors import PipelineError, Unfinished
from pipeline.public import public

_received: list[int] = []
"""Signals that asked the run to stop."""


def ended(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process as it says."""
    try:
        code = command()
        if code == 130:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _interrupted() if isinstance(error, Unfinished) and signal.SIGINT in _received else _say(*_explain(error))
    _leave(code or 0)


def _leave(code: int) -> NoReturn:
    """End the process. One that was told to stop does not wait for the thread that measures or infers: all that matters is closed or will be swept."""
    if code in (130, 75):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _interrupted() -> int:
    return _say("Stopped. Everything committed is kept; run the same command again to go on.", 130)


def _explain(error: Exception) -> tuple[str, int]:
    """One paragraph and an exit code."""
    if isinstance(error, PipelineError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # what was typed is no command of ours, in typer's words
        return f"{error.format_message().replace('Value error, ', '')} See wholecloth --help.", 2
    said = f"{type(error).__name__}: {error}"
    return f"A bug of ours: {said}. Run again with --debug to see where, and report it; what is committed is kept.", 70


def _say(message: str, code: int) -> int:
    print(public(" ".join(message.split())), file=sys.stderr)
    return code


def on_signals() -> None:
    """From now on SIGTERM and Ctrl-C stop what is under way."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop at once; and, where Python swallows what is raised (inside a finaliser it does), at the next tile."""
    _received.append(number)
    inference = sys.modules.get("pipeline.stages.infer")
    if inference is not None:
        inference.STOP.set()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Unfinished("Stopped by SIGTERM. Everything committed is kept; run the same command again to go on.")
