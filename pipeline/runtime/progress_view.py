"""Where progress is shown: one live line on a terminal, a plain bar in a notebook, a line a minute in a log."""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, TextIO

from pipeline.runtime.progress_line import LIVE_INTERVAL_S, Figures

LOG_INTERVAL_S = 60.0
"""Seconds between lines of a log."""
OVERDUE = 1.5
"""Intervals without a line, after which a log gets one although no block came."""


class View(Protocol):
    """Shows figures, and lines beside them."""

    interval: float
    """Seconds between updates."""
    is_brief: bool
    """Whether there is room for few words."""

    def begin(self, figures: Callable[[], Figures]) -> None:
        """Begin a stage. The figures may be asked for at any time, by any thread."""

    def update(self) -> None:
        """Show the figures as they are now."""

    def say(self, line: str) -> None:
        """Print a line of its own."""

    def close(self) -> None:
        """End the stage, if one was begun; what was shown stays."""


class SilentView:
    """Shows no figures."""

    interval = LOG_INTERVAL_S
    is_brief = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, figures: Callable[[], Figures]) -> None:
        """Nothing."""

    def update(self) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Print a line, in one go: other threads print too."""
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing."""


class LogView(SilentView):
    """Lines; also where no block comes."""

    def __init__(self, stream: TextIO, interval: float = LOG_INTERVAL_S) -> None:
        super().__init__(stream)
        self.interval = interval
        self._ended = threading.Event()

    def begin(self, figures: Callable[[], Figures]) -> None:
        """Begin a stage."""
        self._figures, self._shown_at, self._ended = figures, time.monotonic(), threading.Event()
        if self.interval >= LIVE_INTERVAL_S:
            threading.Thread(target=self._tick, args=[self._ended], name="progress", daemon=True).start()

    def update(self) -> None:
        """Print the figures."""
        self._shown_at = time.monotonic()
        self.say(self._figures().line())

    def close(self) -> None:
        """End the thread."""
        self._ended.set()

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(self.interval / 2):
            if time.monotonic() - self._shown_at >= OVERDUE * self.interval:
                self.update()


class NotebookView(SilentView):
    """One output of a cell, which is replaced: a bar in HTML, the line where there is no HTML."""

    interval = LIVE_INTERVAL_S
    is_brief = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._handle: Any = None

    def begin(self, figures: Callable[[], Figures]) -> None:
        """Begin a stage with an output of its own."""
        self._figures = figures
        self._handle = import_module("IPython.display").display(self._bundle(), raw=True, display_id=True)

    def update(self) -> None:
        """Replace the output."""
        if self._handle is not None:
            self._handle.update(self._bundle(), raw=True)

    def close(self) -> None:
        """Show the figures a last time."""
        self.update()
        self._handle = None

    def _bundle(self) -> dict[str, str]:
        figures = self._figures()
        bar = f'<progress value="{figures.done}" max="{figures.total}"></progress> ' if figures.total else ""
        line = figures.line()
        return {"text/plain": line, "text/html": f"<div>{bar}{html.escape(line)}</div>"}


def view_of(stream: TextIO, interval: float | None = None) -> View:
    """The view that suits a stream; a log has a line every so many seconds."""
    if stream.isatty():
        # it draws with rich, which a log does without
        from pipeline.runtime.terminal_view import TerminalView, draws_lines

        if draws_lines(stream):
            return TerminalView(stream)
    if "ipykernel" in sys.modules and not stream.isatty():
        return NotebookView(stream)
    return LogView(stream, LOG_INTERVAL_S if interval is None else interval)
