from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LabelsError
from pipeline.interfaces import IGNORE
from pipeline.quality.labels.class_codes import LabelMapping, label_mapping
from pipeline.store.spec import ClassRow
from tests.quality.labels.places import CLASSES

CLOUDY = (*CLASSES, ClassRow(code=9, name="cloud", color="#ffffff", role="ignore"))


def means(classes: Any = CLASSES, values: Any = None, ignore: Any = ()) -> LabelMapping:
    return label_mapping("a.tif", classes, values, ignore)


def pixels(of: LabelMapping, *values: float) -> list[int]:
    array = np.array(values)
    return of.codes_of_pixels(array, np.ones(array.shape, bool)).tolist()


def test_a_value_is_its_own_code_unless_something_else_is_said() -> None:
    assert pixels(means(), 0, 1, 7, 2) == [0, 1, 7, 2]
    assert pixels(means(values={0: "wood", 255: 7}), 0, 255) == [2, 7]
    assert pixels(means(ignore=[-1, 2]), -1, 2, 1) == [IGNORE, IGNORE, 1]


def test_with_values_given_only_those_are_known() -> None:
    with pytest.raises(LabelsError, match="holds 1, which is no class"):
        pixels(means(values={0: 0, 255: 1}), 0, 1)


def test_a_class_of_role_ignore_and_a_class_passed_over_by_name_say_nothing() -> None:
    assert pixels(means(CLOUDY), 1, 9) == [1, IGNORE]
    assert pixels(means(CLOUDY, values={5: "cloud", 6: 1}), 5, 6) == [IGNORE, 1]
    assert pixels(means(ignore=["wood"]), 2, 1) == [IGNORE, 1]
    assert pixels(means(values={4: "wood", 5: 2, 6: 1}, ignore=["wood"]), 4, 5, 6) == [IGNORE, IGNORE, 1]


def test_attributes_are_names_codes_or_nothing() -> None:
    of = means()
    assert [
        of.code_of(v) for v in ("wood", "7", 7, 7.0, np.int32(1), np.float64(2.0), " water ", None, float("nan"), "")
    ] == [
        2,
        7,
        7,
        7,
        1,
        2,
        1,
        IGNORE,
        IGNORE,
        IGNORE,
    ]


def test_a_class_that_is_named_like_a_number_is_meant_by_its_name() -> None:
    of = means((ClassRow(code=0, name="3", color="#000000"), ClassRow(code=3, name="4", color="#000000")))
    assert [of.code_of(v) for v in ("3", "4", 3, 0)] == [0, 3, 3, 0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((-1,), "--ignore -1"),
        ((3, 4, 5), "3, 4, 5, which are no classes"),
        ((0.5,), "holds 0.5"),
        (range(10, 20), "10, 11, 12, 13, 14 and 5"),
    ],
)
def test_what_is_no_class_is_named_with_what_to_write(values: Any, words: str) -> None:
    with pytest.raises(LabelsError, match=words) as caught:
        pixels(means(), 0, *values)
    assert "0 ground, 1 water, 2 wood, 7 house" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_that_mean_no_class_are_refused() -> None:
    with pytest.raises(LabelsError, match="'lake', which is no class"):
        means(values={0: "lake"})
    with pytest.raises(LabelsError, match="holds lake"):
        means().code_of("lake")


@given(
    st.lists(st.integers(-5, 300), max_size=40),
    st.dictionaries(st.integers(-5, 300), st.sampled_from([0, 1, 2, 7]), min_size=1),
    st.booleans(),
)
def test_pixels_are_looked_up_as_one_would_by_hand(values: list[int], table: dict[int, int], unsigned: bool) -> None:
    array = (
        np.array(values, dtype="uint16" if unsigned else "int64")
        if not unsigned
        else np.abs(np.array(values, "int64")).astype("uint16")
    )
    valid = np.array([value in table for value in array.tolist()], bool)
    got = means(values=table).codes_of_pixels(array, valid)
    assert got.tolist() == [table.get(value, IGNORE) for value in array.tolist()]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"name": "wood", "color": [200, 0, 0]}', 2),
        ('{ "names": ["wood"], "color": [1, 2, 3] }', 2),
        ('{"colorRGB": -377282, "name": "water"}', 1),
        ('{"name": "house"}', 7),
    ],
)
def test_a_classification_of_qupath_is_its_name(text: str, code: int) -> None:
    assert means().code_of(text) == code


def test_a_derived_class_of_qupath_and_what_only_looks_like_one_are_told_by_name() -> None:
    for text, name in (
        ('{"names": ["Tumor", "Positive"]}', "Tumor: Positive"),
        ('{"name": "Stroma"}', "Stroma"),
        ("{wood}", "{wood}"),
    ):
        with pytest.raises(LabelsError, match=f"holds {name}, which is no class"):
            means().code_of(text)
