import io

import pytest

from pipeline.progress import Progress


def test_lines_tell_blocks_speed_time_left_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(t) for t in range(0, 1000, 2))
    monkeypatch.setattr("pipeline.progress.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    with Progress(out, interval=0) as progress:
        progress.start(100, 10)
        progress.advance(4_000_000, {"read": 0.1, "device": 2.0, "write": 0.3})
    said = out.getvalue()
    assert "10 of 100 blocks are committed already" in said
    assert "11/100 blocks" in said
    assert "waits for device" in said
    assert "Mpx/s" in said
    assert " left" in said


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with Progress(out) as progress:
        progress.start(2, 0)
        progress.advance(10, {"read": 1.0})
        progress.say("a line")
    assert "1/2" in out.getvalue()
    assert "a line" in out.getvalue()
