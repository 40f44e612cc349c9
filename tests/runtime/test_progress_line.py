"""The figures of a run on one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.runtime.block_rate import TimeLeft
from pipeline.runtime.progress_line import MAX_BAR, Figures, duration
from pipeline.runtime.resources import GIB

FULL = Figures(
    unit="blocks",
    done=123_456,
    total=567_890,
    failed=12,
    speed=123.4,
    left=TimeLeft(720.0, 900.0, False),
    resident=int(3.1 * GIB),
    limit=8 * GIB,
    waits="waits for the first block",
)


def test_a_line_has_all_figures() -> None:
    assert FULL.line() == (
        "123456/567890 blocks, 12 failed, 123.40 Mpx/s, ETA 12–15 min, 3.1 of 8 GiB, waits for the first block"
    )


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (12.2, 15.4, "ETA 12–15 s"),
        (80.0, 89.0, "ETA 80–89 s"),
        (720.0, 900.0, "ETA 12–15 min"),
        (719.0, 721.0, "ETA 12 min"),
        (7_560.0, 8_640.0, "ETA 2.1–2.4 h"),
        (36_000.0, 72_000.0, "ETA 10–20 h"),
    ],
)
def test_the_time_left_has_its_spread_in_one_unit(low: float, high: float, text: str) -> None:
    assert text in replace(FULL, left=TimeLeft(low, high, False)).parts()


def test_a_rough_time_says_so_and_an_unknown_one_is_left_out() -> None:
    assert "ETA about 12 min" in replace(FULL, left=TimeLeft(720.0, 720.0, True)).parts()
    assert "ETA" not in replace(FULL, left=None).line()


@pytest.mark.parametrize(
    ("resident", "limit", "text"),
    [(512 * 2**20, 8 * GIB, "0.5 of 8 GiB"), (200 * 2**20, 700 * 2**20, "200 of 700 MiB"), (3 * GIB, None, "3 GiB")],
)
def test_memory_has_its_limit_in_the_same_unit(resident: int, limit: int | None, text: str) -> None:
    assert text in replace(FULL, resident=resident, limit=limit).parts()


def test_what_is_not_counted_has_its_duration() -> None:
    assert Figures(unit="training", seconds=3_725.0).line() == "training, 1 h 02 min"


@pytest.mark.parametrize("width", range(10, 140))
def test_a_fitted_line_is_never_wider_and_loses_its_end_first(width: int) -> None:
    before, bar, after = FULL.fitted(width)
    shown = f"{before} {'━' * bar} {after}" if bar else before
    assert len(shown) <= width
    assert bar <= MAX_BAR
    parts = f"{before}, {after}" if after else before
    assert FULL.line().startswith(parts)
    cut = FULL.line()[len(parts) :]
    assert cut == "" or cut.startswith(", ") or width < len("123456/567890 blocks")


def test_an_ordinary_line_fits_a_narrow_terminal_and_has_a_bar_where_there_is_room() -> None:
    ordinary = replace(FULL, done=123, total=5_678, failed=0, speed=12.3, waits="waits for reading")
    assert ordinary.fitted(79) == (ordinary.line(), 0, "")
    before, bar, after = ordinary.fitted(90)
    assert before == "123/5678 blocks"
    assert after == "12.30 Mpx/s, ETA 12–15 min, 3.1 of 8 GiB, waits for reading"
    assert bar == 90 - len(before) - len(after) - 2


def test_durations_are_read_by_people() -> None:
    assert [duration(seconds) for seconds in (4.4, 64, 3_900)] == ["4 s", "1 min 04 s", "1 h 05 min"]
