"""Lines for machines."""

from __future__ import annotations

import io
import json
import logging
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.runtime import log


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_object_in_ascii_with_time_level_and_event() -> None:
    text = log.json_line("planned", store=Path("a×b.zarr"), message="two\nlines", blocks=3)
    assert "\n" not in text
    assert text.isascii()
    said = json.loads(text)
    assert (said["level"], said["event"], said["store"], said["message"], said["blocks"]) == (
        "info",
        "planned",
        "a×b.zarr",
        "two\nlines",
        3,
    )
    assert abs((datetime.now(UTC) - datetime.fromisoformat(said["time"])).total_seconds()) < 600
    assert said["time"].endswith("Z")


def test_what_libraries_log_and_warn_of_becomes_lines_and_only_meanwhile() -> None:
    out = io.StringIO()
    with log.captured(out), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("of.a.library").warning("slow: %s", "disk")
        logging.getLogger("of.a.library").error("broken")
        logging.getLogger("of.a.library").info("chatter")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    logging.getLogger("of.a.library").warning("later")
    said = lines(out)
    assert [(entry["event"], entry["level"], entry["message"]) for entry in said[:2]] == [
        ("log", "warning", "slow: disk"),
        ("log", "warning", "broken"),
    ]
    assert len(said) == 3
    assert "DeprecationWarning: old" in str(said[2]["message"])
    with pytest.warns(DeprecationWarning, match="again"):
        warnings.warn("again", DeprecationWarning, stacklevel=1)
