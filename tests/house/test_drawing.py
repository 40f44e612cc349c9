from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import drawing
from tests.house.modules import modules
from tests.house.test_figures import package

PACKAGE = {
    "__init__.py": '"""The door."""',
    "__main__.py": "from pipeline import cli",
    "errors.py": '"""Errors that a user\nreads. And more."""',
    "store/__init__.py": '"""Stores: ``a|b``.\n\nMore."""\nimport pipeline.errors',
    "cli/__init__.py": "from pipeline import store, errors\nimport pipeline",
}
ROOMS = """```mermaid
flowchart TD
    cli --> store
    errors
    store --> errors
```

| room | lines | what it is | imports |
|---|--:|---|---|
| `cli` | 2 |  | `errors`, `store` |
| `store` | 4 | Stores: `a\\|b` | `errors` |
| `errors` | 2 | Errors that a user reads | nothing |"""
PAGE = f"# Title\n\n{drawing.BEGIN}\n{drawing.END}\n\nThe end.\n"


def test_the_page_shows_the_rooms_as_they_are() -> None:
    page = drawing.PAGE.read_text()
    assert not drawing.is_stale(page, drawing.drawing(modules())), (
        "the drawing is stale; run python -m tests.house.drawing"
    )


def test_arrows_that_others_imply_stand_in_the_table_alone(tmp_path: Path) -> None:
    assert drawing.drawing(package(tmp_path, PACKAGE)) == ROOMS


def test_what_stands_around_the_drawing_stays() -> None:
    page = drawing.written(drawing.written(PAGE, "an older drawing"), ROOMS)
    assert page == f"# Title\n\n{drawing.BEGIN}\n\n{ROOMS}\n\n{drawing.END}\n\nThe end.\n"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(AssertionError, match="lacks the marks"):
        drawing.written("# Title", ROOMS)


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("", "", False),
        ("| 4 |", "| 5 |", False),
        ("| 4 |", "| 1,400 |", True),
        ("cli --> store", "cli --> errors", True),
        ("Stores", "Shops", True),
        ("| `errors` | 2 | Errors that a user reads | nothing |", "", True),
    ],
)
def test_a_page_is_stale_once_rooms_arrows_or_sentences_change_or_a_room_has_grown(
    old: str, new: str, stale: bool
) -> None:
    assert drawing.is_stale(drawing.written(PAGE, ROOMS), ROOMS.replace(old, new) if old else ROOMS) == stale
