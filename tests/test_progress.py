import io

import pytest

from pipeline.progress import Progress
from pipeline.timing.stalls import WAITS

IDLE = dict.fromkeys(("busy", *WAITS), 0.0)


def test_lines_tell_blocks_speed_time_left_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(t) for t in range(0, 1000, 2))
    monkeypatch.setattr("pipeline.progress.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    with Progress(out, interval=0) as progress:
        progress.start(100, 10)
        progress.advance(4_000_000, lambda: {**IDLE, "busy": 2.0, "read": 0.1, "write": 0.3})
        progress.advance(4_000_000, lambda: {**IDLE, "busy": 2.0, "read": 1.1, "write": 0.3})
    said = out.getvalue()
    assert "10 of 100 blocks are committed already" in said
    assert "11/100 blocks" in said
    assert "12/100 blocks" in said
    assert "device busy 83 %, waits for writing" in said
    assert "device busy 0 %, waits for reading" in said
    assert "Mpx/s" in said
    assert " left" in said


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with Progress(out) as progress:
        progress.start(2, 0)
        progress.advance(10, dict)
        progress.say("a line")
    assert "1/2" in out.getvalue()
    assert "a line" in out.getvalue()


def test_what_the_device_did_is_looked_up_only_when_it_is_said() -> None:
    looks: list[int] = []

    def so_far() -> dict[str, float]:
        looks.append(1)
        return IDLE

    with Progress(io.StringIO()) as progress:
        progress.start(1000, 0)
        for _ in range(1000):
            progress.advance(10, so_far)
    assert len(looks) < 100
