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
    assert "ETA about " in said
    assert "MiB" in said or "GiB" in said


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
        progress.start(100, 10, memory=2**40)
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
    assert first["seconds_left_low"] <= first["seconds_left"] <= first["seconds_left_high"]
    assert (first["waits_for"], second["waits_for"]) == ("the network", "reading")
    assert 0 < first["memory_resident"] < first["memory_limit"] == 2**40
    assert (failed["block"], failed["why"], failed["level"]) == ([2, 3], "away", "warning")
    assert (stage["stage"], overviews["done"], overviews["total"], done["exit_code"]) == ("overviews", 3, 9, 0)


def test_the_figures_of_a_run_count_its_own_blocks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: now[0])
    with Progress(io.StringIO()) as progress:
        progress.start(1000, 900, in_flight=2, memory=2**33)
        for now[0] in (8.0, 8.0, 18.0, 18.0, 28.0, 28.0, 38.0, 38.0):
            progress.advance(1_000_000, lambda: IDLE)
        figures = progress.figures()
    assert (figures.done, figures.total, figures.limit) == (908, 1000, 2**33)
    assert figures.speed == pytest.approx(8 / 38)
    assert figures.left == (460.0, 460.0, False)  # 92 blocks, 5 s each


def test_a_run_that_stands_still_and_reads_that_hang_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now, hanging = [0.0], [0]
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: now[0])
    with Progress(io.StringIO()) as progress:
        progress.start(10, 0, hanging=lambda: hanging[0])
        now[0] = 5.0
        progress.advance(1_000_000, lambda: IDLE)
        assert "no block" not in progress.figures().line()
        now[0] = 245.0
        assert progress.figures().line().endswith("no block for 4 min 00 s")
        hanging[0] = 3
        assert progress.figures().line().endswith("waits for storage (3 reads hang)")


def test_memory_elsewhere_is_not_told_and_what_is_done_waits_for_nothing() -> None:
    with Progress(io.StringIO()) as progress:
        progress.start(1, 0, is_local=False)
        assert progress.figures().resident is None
        progress.advance(1_000_000, lambda: IDLE)
        assert progress.figures().waits == ""
        assert progress.figures().left is None


def test_overviews_of_two_layers_are_counted_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    now, out, ages = [0.0], io.StringIO(), []
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: now[0])
    with Progress(out, interval=0) as progress:
        progress.start(2, 0)
        progress.advance(10, lambda: IDLE)
        for done in (1, 2, 1, 2):
            now[0] += 3.0
            progress.overviews(done, 2)
            ages.append(progress.figures().seconds)
    assert ages == [0.0, 3.0, 0.0, 3.0]
    lines = [line.split(",")[0] for line in out.getvalue().splitlines()]
    assert lines == ["1/2 blocks", *2 * ["1/2 blocks of overviews", "2/2 blocks of overviews"]]


def test_what_is_not_counted_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with Progress(out, interval=0) as progress:
        progress.status("3 of 4 blocks read")
        progress.status("4 of 4 blocks read")
    assert [line.split(",")[0] for line in out.getvalue().splitlines()] == ["3 of 4 blocks read", "4 of 4 blocks read"]
    with JsonProgress(out := io.StringIO(), interval=0) as progress:
        progress.status("3 of 4 blocks read")
    assert json.loads(out.getvalue())["message"] == "3 of 4 blocks read"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_quiet_leaves_warnings_alone(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_as(log_format, quiet=True) as progress:
        progress.start(100, 10)
        progress.say("the plan", "planned")
        progress.failed((2, 3), "rows 0–9", "away")
        progress.advance(10, lambda: IDLE)
        progress.overviews(1, 2)
        progress.status("verifying")
        progress.say("warning: odd")
        progress.note("done", exit_code=0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "away" in lines[0]
    assert "warning: odd" in lines[1]


def test_what_is_for_machines_alone_says_nothing_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_as("text") as progress:
        progress.note("done", exit_code=0)
        progress.overviews(1, 2)
    assert capsys.readouterr().err == ""
    with progress_as("json") as progress:
        progress.note("done", exit_code=0)
    assert json.loads(capsys.readouterr().err)["event"] == "done"
