"""The table of faults and the tests of this folder name each other."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"


def test_every_row_is_backed_by_a_test_and_every_test_has_a_row() -> None:
    named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", PAGE.read_text()))
    files = [file for file in HERE.glob("test_*.py") if file.name != "test_page.py"]
    there = {f"{file.name}::{name}" for file in files for name in re.findall(r"(?m)^def (test_\w+)", file.read_text())}
    assert named == there
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(rows) > 20
    assert all("test_" in row or row.endswith("| the same |") for row in rows)
