"""Progress on a terminal: one live line, under lines of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.runtime.progress_line import LIVE_INTERVAL_S, Figures


def draws_lines(stream: TextIO) -> bool:
    """Whether a terminal can draw a line again."""
    return not Console(file=stream).is_dumb_terminal


class TerminalView:
    """One line that is drawn again and again; lines of text scroll above it."""

    interval = LIVE_INTERVAL_S
    is_brief = True

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._live: Live | None = None

    def begin(self, figures: Callable[[], Figures]) -> None:
        """Begin a stage with a line of its own."""
        self._figures = figures
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=1 / LIVE_INTERVAL_S,
            redirect_stdout=False,  # results belong there, not among progress
        )
        self._live.start()

    def update(self) -> None:
        """Nothing: the line is drawn by a thread of its own."""

    def say(self, line: str) -> None:
        """Print a line above."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Draw the line a last time."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drawn(self) -> Table:
        figures = self._figures()
        before, width, after = figures.fitted(self._console.width - 1)
        row = Table.grid(padding=(0, 1, 0, 0))
        bar = [ProgressBar(total=1.0, completed=figures.share, width=width)] if width else []
        row.add_row(Text(before, no_wrap=True), *bar, Text(after, no_wrap=True))
        return row
