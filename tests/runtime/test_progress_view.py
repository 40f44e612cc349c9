"""Where progress is shown: a terminal, a notebook, a log."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pipeline.runtime.progress_line import Figures
from pipeline.runtime.progress_view import LogView, NotebookView, view_of
from pipeline.runtime.terminal_view import TerminalView

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A terminal without its size; the environment gives that."""

    def isatty(self) -> bool:
        return True


def figures_of(done: int) -> Callable[[], Figures]:
    return lambda: Figures(unit="blocks", done=done, total=4, speed=1.5, waits="waits for <reading>")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What a notebook is shown, as if this were its kernel: begun or replaced, and the bundle."""
    shown: list[tuple[str, dict[str, str]]] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(("replaced", bundle))

    def begin(bundle: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append(("begun", bundle))
        return Handle()

    module: Any = ModuleType("IPython.display")
    module.display = begin
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_each_stream_has_its_view(display: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(view_of(Terminal()), TerminalView)
    assert isinstance(view_of(io.StringIO()), NotebookView)
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert isinstance(view_of(io.StringIO()), LogView)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(view_of(Terminal()), LogView)


def test_a_log_has_a_line_a_minute() -> None:
    view = view_of(io.StringIO())
    assert view.interval == 60


def test_a_terminal_keeps_one_line_per_stage_and_never_wraps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    view = TerminalView(out := Terminal())
    for done in (3, 4):
        view.begin(figures_of(done))
        view.say("[red]a line[/red]")
        view.close()
    lines = re.split(r"[\r\n]+", ESCAPES.sub("", out.getvalue()))
    assert all(len(line) < 40 for line in lines)
    assert "3/4 blocks" in out.getvalue()
    assert "4/4 blocks" in lines[-2] + lines[-1]
    assert lines.count("[red]a line[/red]") == 2


def test_results_on_stdout_stay_there_while_a_line_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    view = TerminalView(out := Terminal())
    view.begin(figures_of(1))
    print("a result")
    view.close()
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in out.getvalue()


def test_a_notebook_has_one_output_per_stage_that_is_replaced(display: list[tuple[str, dict[str, str]]]) -> None:
    view = NotebookView(out := io.StringIO())
    view.close()
    view.begin(figures_of(1))
    view.update()
    view.close()
    view.update()
    view.say("a line")
    assert [step for step, _ in display] == ["begun", "replaced", "replaced"]
    bundle = display[-1][1]
    assert bundle["text/plain"] == "1/4 blocks, 1.50 Mpx/s, waits for <reading>"
    assert '<progress value="1" max="4">' in bundle["text/html"]
    assert "&lt;reading&gt;" in bundle["text/html"]
    assert out.getvalue() == "a line\n"
    assert not ESCAPES.search(str(display))


def test_a_log_gets_a_line_though_no_block_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now, printed = [0.0], threading.Event()
    monkeypatch.setattr("pipeline.runtime.progress_view.time.monotonic", lambda: now[0])
    monkeypatch.setattr("pipeline.runtime.progress_view.LIVE_INTERVAL_S", 0.0)

    class Stream(io.StringIO):
        def flush(self) -> None:
            printed.set()

    view = LogView(out := Stream(), interval=0.01)
    view.begin(figures_of(2))
    now[0] = 0.014
    assert not printed.wait(0.05)
    now[0] = 0.016
    assert printed.wait(10)
    view.close()
    assert out.getvalue().splitlines()[0].startswith("2/4 blocks")
