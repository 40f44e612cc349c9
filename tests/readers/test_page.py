"""The page of readers says what is measured, and what is wrong on it has its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readers import environments, samples
from tests.readers.page import PAGE, Row, cells, page, reasons, rows
from tests.readers.table import FACTS, FILES, READERS, Reader

ANEW = "make the page anew: python -m tests.readers"
DAY = [reader for reader in READERS if not reader.nightly]
NIGHT = [reader for reader in READERS if reader.nightly]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.make(tmp_path_factory.mktemp("readers"))


def lines(file: str) -> list[str]:
    """The rows of a file's table on the page."""
    _, after = PAGE.read_text(encoding="utf-8").split(f"\n## {FILES[file][1]}\n")
    return [line for line in after.partition("\n## ")[0].splitlines() if re.match(r"\| (?!reader )", line)]


def assert_as_the_page_says(reader: Reader, folder: Path) -> None:
    for row in rows(reader, folder):
        known = {limit for limit in reader.limits if limit[0] == row.file}
        assert row.wrong == known, f"{row.version} on {row.file}: {row.cells} {row.error}"
        assert row.line() in lines(row.file), ANEW


@pytest.mark.slow
@pytest.mark.parametrize("reader", DAY, ids=lambda reader: reader.name)
def test_a_reader_of_this_environment_sees_what_its_rows_say(reader: Reader, folder: Path) -> None:
    assert_as_the_page_says(reader, folder)


@pytest.mark.nightly("readers")
@pytest.mark.parametrize("reader", NIGHT, ids=lambda reader: reader.name)
def test_a_reader_of_another_environment_sees_what_its_rows_say(reader: Reader, folder: Path) -> None:
    """Other Pythons are had where they are; Debian's programs are named by `tests.programs`, and a failure."""
    try:
        assert_as_the_page_says(reader, folder)
    except environments.Unavailable as error:
        pytest.skip(str(error))


def test_the_page_has_a_row_of_each_reader_and_no_others() -> None:
    for file in FILES:
        assert len(lines(file)) == sum(file in reader.files for reader in READERS), ANEW
        assert len(set(lines(file))) == len(lines(file))


def test_what_stands_around_the_rows_is_of_this_checkout() -> None:
    without = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if not re.match(r"\| .* \| (yes|no)\b", line)
    ]
    assert without == page([]).splitlines(), ANEW


def test_limits_are_of_files_that_the_reader_is_given() -> None:
    for reader in READERS:
        assert {file for file, _ in reader.limits} <= set(reader.files)
        assert {fact for _, fact in reader.limits} <= set(FACTS)


RIGHT = {"pixels": "a", "crs": ["EPSG:1", [1.0]], "nodata": 255.0, "names": {"1": "b"}, "colours": {"1": "#000001"}}


@pytest.mark.parametrize("fact", list(RIGHT))
def test_a_fact_that_differs_is_wrong_and_one_that_a_reader_does_not_know_is_a_dash(fact: str) -> None:
    assert cells({**RIGHT, fact: "other"}, RIGHT)[fact] is False
    known = {key: value for key, value in RIGHT.items() if key != fact}
    row = Row(file="cog", reader=Reader(module="some", files=("cog",)), version="some 1", cells=cells(known, RIGHT))
    assert row.line().count("yes") == 5
    assert row.line().count("–") == 1
    assert row.wrong == set()


def test_a_file_that_is_not_opened_has_its_reason_below_the_table() -> None:
    reader = next(reader for reader in READERS if ("v3", "opens") in reader.limits)
    row = Row(file="v3", reader=reader, version="old 1", cells=cells({"error": "no"}, RIGHT))
    assert row.line() == "| old 1 | no ¹ |  |  |  |  |  |"
    assert reasons("v3")[0] == reader.limits["v3", "opens"]


def test_an_interpreter_that_is_missing_is_named_with_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "interpreter", lambda version: None)
    with pytest.raises(LookupError, match=r"python3\.8 is missing, which rasterio==1\.1\.8 needs: pyenv install 3\.8"):
        environments.ask(next(reader for reader in NIGHT if reader.python == "3.8"), [])
