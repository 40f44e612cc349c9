from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.array_files.labels import labels_of, position_of


@pytest.mark.parametrize(
    ("values", "units", "expected"),
    [
        ([0, 36], "hours since 2024-02-28 12:00:00", ["2024-02-28T12:00:00", "2024-03-01T00:00:00"]),
        ([0.5], "days since 2024-01-01", ["2024-01-01T12:00:00"]),
        ([1.5], "s since 2024-01-01T00:00:00Z", ["2024-01-01T00:00:01.500"]),
        ([250], "milliseconds since 1970-1-1", ["1970-01-01T00:00:00.250"]),
        ([3], "months since 2024-01-01", [3]),
        ([3], "days since 0001-01-01", [3]),
        ([3], "days since 2024-01-01 00:00 +02:00", [3]),
        ([3], "metres", [3]),
    ],
)
def test_times_are_decoded_where_their_units_name_a_moment(
    values: list[float], units: str, expected: list[Any]
) -> None:
    assert labels_of(np.array(values), {"units": units}) == expected


def test_times_of_other_calendars_go_by_number() -> None:
    assert labels_of(np.array([3]), {"units": "days since 2024-01-01", "calendar": "noleap"}) == [3]


def test_texts_and_names_of_codes_are_labels() -> None:
    assert labels_of(np.array([[b"B", b"0"], [b"B", b" "]], "S1"), {}) == ["B0", "B"]
    flags = {"flag_values": [1, 2, 5], "flag_meanings": "water land ice"}
    assert labels_of(np.array([5, 1]), flags) == ["ice", "water"]
    assert labels_of(np.array([5, 7]), flags) == [5, 7]


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("2024-06-01", 0),
        ("2024-06-02T10", 1),
        ("2024-06-02 10:30:00Z", 1),
        (2023, 3),
        ("2024-06-1", None),
        ("2024-06-0", None),
    ],
)
def test_a_date_is_chosen_to_the_precision_that_is_given(wanted: Any, place: int | None) -> None:
    labels = ["2024-06-01T10:30:00", "2024-06-02T10:30:00", "2024-06-10T10:30:00", "2023-01-01T00:00:00"]
    if place is None:
        with pytest.raises(SourceError, match="but there is none"):
            position_of(wanted, labels, "time", 4)
    else:
        assert position_of(wanted, labels, "time", 4) == place


def test_numbers_are_chosen_to_their_rounding_and_never_the_nearest() -> None:
    labels = np.array([0.1, 0.2, 850], "float32").tolist()
    assert [position_of(number, labels, "level", 3) for number in (0.1, "0.2", 850)] == [0, 1, 2]
    with pytest.raises(SourceError, match=r"level 0.15, but there is none. It has 0.1, 0.2, 850"):
        position_of(0.15, labels, "level", 3)
