import pytest

from pipeline.errors import LabelsError
from pipeline.quality.labels.class_codes import meaning
from pipeline.quality.labels.typed import ignored, values_of
from tests.quality.labels.places import CLASSES


def test_what_is_typed_means_what_a_config_says() -> None:
    typed = meaning("a.tif", CLASSES, values_of(["0=0, 255=wood", "-3=7"]), ignored(["-1", "9,10"]))
    assert typed == meaning("a.tif", CLASSES, {0: 0, 255: "wood", -3: 7}, [-1, 9, 10])
    assert values_of(None) is None
    assert ignored(None) == []


@pytest.mark.parametrize("text", ["", "0", "0=", "=1", "0=0,,1=1"])
def test_what_is_no_list_of_pairs_is_told(text: str) -> None:
    with pytest.raises(LabelsError, match="VALUE=CLASS"):
        values_of([text])


def test_a_value_that_is_given_two_meanings_is_refused() -> None:
    assert values_of(["1=wood", "1=wood"]) == {"1": "wood"}
    with pytest.raises(LabelsError, match="--values gives 1 twice, as wood and as 7"):
        values_of(["1=wood", "1=7"])
