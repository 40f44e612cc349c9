import io
import json
from typing import Any

import pytest

from pipeline.runtime.device_time import WAITS
from pipeline.runtime.progress import MAX_NAMED_FAILURES, JsonProgress, Progress, progress_as

IDLE = dict.fromkeys(("busy", *WAITS), 0.0)


def test_lines_tell_blocks_speed_time_left_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(t) for t in range(0, 1000, 2))
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: next(clock))
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


def test_failed_blocks_are_named_as_they_fail_and_then_counted() -> None:
    out = io.StringIO()
    with Progress(out, interval=0) as progress:
        progress.start(100, 0)
        for k in range(MAX_NAMED_FAILURES + 3):
            progress.failed((k, 7), "rows 0–9, cols 0–9", "the disk is away")
            progress.advance(0, lambda: IDLE)
    said = out.getvalue().splitlines()
    assert sum("failed: the disk is away" in line for line in said) == MAX_NAMED_FAILURES
    assert "block 0,7 (rows 0–9, cols 0–9) failed: the disk is away" in said
    assert sum("more blocks fail" in line for line in said) == 1
    assert f"{MAX_NAMED_FAILURES + 3}/100 blocks, {MAX_NAMED_FAILURES + 3} failed, " in said[-1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_machines_are_told_the_same_in_objects_and_never_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(t) for t in range(0, 1000, 2))
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: next(clock))
    out = Terminal()
    with JsonProgress(out, interval=0) as progress:
        progress.start(100, 10)
        progress.advance(4_000_000, lambda: {**IDLE, "busy": 3.0, "read": 1.0})
        progress.failed((2, 3), "rows 0–9", "away")
        progress.advance(0, lambda: {**IDLE, "busy": 3.0, "read": 2.0})
        progress.say("overviews", "stage", stage="overviews")
        progress.overviews(3, 9)
        progress.note("done", exit_code=0)
    said: list[dict[str, Any]] = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [entry["event"] for entry in said] == [
        "resumed",
        "blocks",
        "block failed",
        "blocks",
        "stage",
        "overviews",
        "done",
    ]
    resumed, first, failed, second, stage, overviews, done = said
    assert (resumed["done"], resumed["total"]) == (10, 100)
    assert (first["done"], first["failed"], first["total"], first["busy"], first["waits"]["read"]) == (
        11,
        0,
        100,
        0.75,
        0.25,
    )
    assert (second["done"], second["failed"], second["busy"], second["waits"]["read"]) == (11, 1, 0.0, 1.0)
    assert first["mpx_per_s"] > 0
    assert min(first["seconds_left"], second["seconds_left"]) > 0
    assert (failed["block"], failed["why"], failed["level"]) == ([2, 3], "away", "warning")
    assert (stage["stage"], overviews["done"], overviews["total"], done["exit_code"]) == ("overviews", 3, 9, 0)


def test_what_is_for_machines_alone_says_nothing_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_as("text") as progress:
        progress.note("done", exit_code=0)
        progress.overviews(1, 2)
    assert capsys.readouterr().err == ""
    with progress_as("json") as progress:
        progress.note("done", exit_code=0)
    assert json.loads(capsys.readouterr().err)["event"] == "done"
