import pytest

from pipeline.errors import LabelsError
from pipeline.quality.labels.class_codes import label_mapping, parse_ignore, parse_values
from tests.quality.labels.places import CLASSES


def test_what_is_typed_means_what_a_config_says() -> None:
    typed = label_mapping("a.tif", CLASSES, parse_values(["0=0, 255=wood", "-3=7"]), parse_ignore(["-1", "9,10"]))
    assert typed == label_mapping("a.tif", CLASSES, {0: 0, 255: "wood", -3: 7}, [-1, 9, 10])
    assert parse_values(None) is None
    assert parse_ignore(None) == []


@pytest.mark.parametrize("text", ["", "0", "0=", "=1", "0=0,,1=1"])
def test_what_is_no_list_of_pairs_is_told(text: str) -> None:
    with pytest.raises(LabelsError, match="VALUE=CLASS"):
        parse_values([text])


def test_a_value_that_is_given_two_meanings_is_refused() -> None:
    assert parse_values(["1=wood", "1=wood"]) == {"1": "wood"}
    with pytest.raises(LabelsError, match="--values gives 1 twice, as wood and as 7"):
        parse_values(["1=wood", "1=7"])
