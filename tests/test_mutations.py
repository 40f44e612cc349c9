"""The list of faults is in order: each changes one line that is there, and names tests that are."""

from __future__ import annotations

import re

import pytest

from tests.mutations import PAGE, ROOT, Fault, faults, judged, picked

TEXT = PAGE.read_text(encoding="utf-8")
FAULTS = faults(TEXT)


def test_every_heading_is_a_fault_and_they_are_numbered_from_1() -> None:
    numbers = list(range(1, len(FAULTS) + 1))
    assert (
        [int(number) for number in re.findall(r"^### (\d+)\.", TEXT, re.M)]
        == [fault.number for fault in FAULTS]
        == numbers
    )
    assert len(FAULTS) >= 30
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_one_line_that_is_there_and_its_tests_are(fault: Fault) -> None:
    before = (ROOT / fault.file).read_text(encoding="utf-8")
    after = fault.put_into(before)
    assert [lines for lines in zip(before.split("\n"), after.split("\n"), strict=True) if lines[0] != lines[1]] == [
        (fault.old, fault.new)
    ]
    compile(after, fault.file, "exec")
    assert fault.tests
    assert all((ROOT / test).is_file() for test in fault.tests)


def test_numbers_pick_faults_and_one_that_is_not_there_is_refused() -> None:
    assert [fault.number for fault in picked(FAULTS, [7, 2])] == [2, 7]
    assert picked(FAULTS, []) == FAULTS
    with pytest.raises(ValueError, match="there is no fault 0: they are 1 to"):
        picked(FAULTS, [0, 3])


def test_a_line_that_is_gone_or_there_twice_is_refused_by_name() -> None:
    fault = Fault(number=3, name="Halo too short", file="a.py", old="b", new="c", tests=(), whole="")
    assert fault.put_into("a\nb\n") == "a\nc\n"
    for text in ("a\n", "b\nb\n", " b\n"):
        with pytest.raises(ValueError, match=r"fault 3 \(Halo too short\): its line stands \d times in a\.py"):
            fault.put_into(text)


@pytest.mark.parametrize(
    ("code", "output", "verdict"),
    [
        (0, "3 passed", ("missed", "")),
        (None, "", ("late", "")),
        (
            1,
            "FAILED tests/a.py::test_b[record gone] - AssertionError: 3 - 4",
            ("caught", "tests/a.py::test_b[record gone]"),
        ),
        (
            1,
            "ERROR tests/c.py::log\n== short test summary info ==\nERROR tests/a.py::test_b",
            ("caught", "tests/a.py::test_b"),
        ),
        (1, "ERROR tests/a.py - ImportError: no\n1 error in 0.1s", ("broken", "1 error in 0.1s")),
        (2, "ERROR tests/a.py - ImportError: no\n1 error in 0.1s", ("broken", "1 error in 0.1s")),
        (5, "2 deselected", ("broken", "2 deselected")),
        (-9, "", ("broken", "exit code -9")),
    ],
)
def test_only_a_test_that_fell_is_a_catch(code: int | None, output: str, verdict: tuple[str, str]) -> None:
    assert judged(code, output) == verdict
