import numpy as np
import pytest
import torch

from pipeline.inference.normalise import Normalisation, Stretch, normalise


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_every_dtype_is_normalised_per_band_and_invalid_pixels_are_zero(dtype: str) -> None:
    data = np.arange(24).reshape(2, 3, 4).astype(dtype)
    valid = np.ones((3, 4), dtype=bool)
    valid[1, 2] = False
    how = Normalisation(scale=(2.0, 1.0), offset=(1.0, 0.0), mean=(3.0, 5.0), std=(4.0, 0.5))
    made = normalise(torch.from_numpy(data), torch.from_numpy(valid), how, torch.device("cpu"))[0].numpy()
    expected = np.stack([(data[0] * 2.0 + 1 - 3) / 4, (data[1] * 1.0 - 5) / 0.5]) * valid
    assert made.dtype == np.float32
    assert np.allclose(made, expected)
    assert data[0, 0, 1] == 1, "the raw pixels are left alone"


def test_nan_at_an_invalid_pixel_does_not_reach_the_network() -> None:
    data = np.array([[[np.nan, 1.0]]], dtype=np.float32)
    how = Normalisation(scale=(1.0,), offset=(0.0,), mean=(0.0,), std=(1.0,))
    assert normalise(torch.from_numpy(data), torch.tensor([[False, True]]), how, torch.device("cpu")).tolist() == [
        [[[0.0, 1.0]]]
    ]


def test_what_changes_nothing_is_left_out_bit_for_bit() -> None:
    data = np.random.default_rng(0).integers(0, 9999, (3, 16, 16)).astype(np.uint16)
    how = Normalisation(scale=(1.0, 1e-4, 1.0), offset=(0.0, 0.1, 0.0), mean=(0.0, 0.4, 7.0), std=(1.0, 0.3, 1.0))
    made = normalise(torch.from_numpy(data), None, how, torch.device("cpu"))[0]
    x = torch.from_numpy(data.astype(np.float32))
    each = [
        band.mul(a).add(b).sub(c).div(d)
        for band, a, b, c, d in zip(x, how.scale, how.offset, how.mean, how.std, strict=True)
    ]
    assert torch.equal(made, torch.stack(each))


def test_numbers_of_the_raster_come_before_the_rest_and_are_clipped_where_asked() -> None:
    data = torch.tensor([[[100, 150, 300]], [[0, 5, 10]]], dtype=torch.int16)
    for clip, first in ((False, [0.0, 0.5, 2.0]), (True, [0.0, 0.5, 1.0])):
        stretch = Stretch(shift=(100.0, 0.0), span=(100.0, 10.0), clip=clip, record={})
        how = Normalisation(scale=(1.0,) * 2, offset=(0.0,) * 2, mean=(0.5, 0.0), std=(0.5, 1.0), stretch=stretch)
        x = normalise(data, torch.tensor([[True, True, True]]), how, torch.device("cpu"))
        assert x[0, 0, 0].tolist() == [(value - 0.5) / 0.5 for value in first]
        assert x[0, 1, 0].tolist() == [0.0, 0.5, 1.0]
