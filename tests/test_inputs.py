"""The page of what is taken as what says what the product does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs import labels, networks, rasters  # noqa: F401  # their rows
from tests.inputs.rows import HEAD, PAGE, ROWS, TITLES, Row, line


def written() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("each", ROWS, ids=lambda each: f"{each.kind}: {each.form}")
def test_a_row_of_the_page_says_what_the_product_does(each: Row) -> None:
    assert line(each).rstrip("\n") in written(), "make the page anew: python -m tests.inputs"


def test_the_page_has_these_rows_and_no_others() -> None:
    lines = written()
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
    assert sum(text.startswith("| ") and not text.startswith("| given") for text in lines) == len(ROWS)
    assert len({(each.kind, each.form) for each in ROWS}) == len(ROWS)
    assert {each.kind for each in ROWS} == TITLES.keys()


@pytest.mark.parametrize("each", ROWS, ids=lambda each: f"{each.kind}: {each.form}")
def test_a_refusal_is_one_paragraph_that_ends_and_says_what_to_change(each: Row, tmp_path: Path) -> None:
    taken, words = each.tell(tmp_path)
    if not taken:
        assert words.endswith((".", ")"))
        assert words.count(". ") >= 1 or "; " in words
