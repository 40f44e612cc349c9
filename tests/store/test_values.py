"""What stored numbers stand for."""

import numpy as np
import pytest

from pipeline.store.layers import LAYERS, layer_spec, leading_layer
from pipeline.store.values import ValuesSpec

INTEGERS = ValuesSpec(channels=("a", "b"), dtype="int16", scale=(0.5, 2.0), offset=(10.0, 0.0), nodata=-32768)


def test_integers_stand_for_scaled_and_shifted_numbers() -> None:
    stored = np.array([[-32768, 0, 4]], dtype=np.int16)
    np.testing.assert_array_equal(INTEGERS.numbers(stored, 0), [[np.nan, 10.0, 12.0]])
    np.testing.assert_array_equal(INTEGERS.numbers(stored, 1), [[np.nan, 0.0, 8.0]])
    assert INTEGERS.valid(stored).tolist() == [[False, True, True]]


def test_floats_stand_for_themselves() -> None:
    spec = ValuesSpec(channels=("a",), dtype="float16")
    stored = np.array([[np.nan, 2.5]], dtype=np.float16)
    np.testing.assert_array_equal(spec.numbers(stored, 0), [[np.nan, 2.5]])
    assert spec.valid(stored).tolist() == [[False, True]]
    assert np.isnan(spec.fill)
    assert spec.limits == (-65504.0, 65504.0)
    assert (spec.clips, ValuesSpec().clips) == (True, False)


@pytest.mark.parametrize(
    ("nodata", "beside", "ends"), [(-128, -127, (-127, 127)), (127, 126, (-128, 126)), (5, 6, (-128, 127))]
)
def test_nodata_is_no_number(nodata: int, beside: int, ends: tuple[int, int]) -> None:
    spec = ValuesSpec(channels=("a",), dtype="int8", scale=(1.0,), offset=(0.0,), nodata=nodata)
    assert spec.beside_nodata == beside
    assert spec.range_of(0) == ends


def test_the_main_layer_is_the_mask_where_there_is_one() -> None:
    assert leading_layer(["values"]) == "values"
    assert leading_layer(["mask", "values"]) == leading_layer(["confidence", "mask"]) == leading_layer([]) == "mask"


def test_the_layer_has_a_plane_for_each_channel_whatever_the_classes() -> None:
    of = layer_spec("values", dtype="uint8", nodata=255, probabilities="uint8", planes=7, values=INTEGERS)
    assert (of.shape(3, 4), of.dimensions, of.dtype, of.fill) == ((2, 3, 4), ("channel", "y", "x"), "int16", -32768)
    assert of.bytes_per_pixel == 4


def test_a_mean_that_would_be_nodata_goes_one_step_further() -> None:
    values = np.array([[-2, 0, 3], [-2, 0, 3]], dtype=np.int8)
    valid = np.array([[True, True, False], [True, True, False]])
    made = LAYERS["values"].reduce(values, valid, -1)
    assert (made.dtype, made.tolist()) == (np.int8, [[0, -1]])
