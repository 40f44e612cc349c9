from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import AugmentConfig
from pipeline.interfaces import Pixels
from pipeline.train.augment import Augmentation, apply, draw_augmentation, noisy, reach

IGNORE = 255
STILL = Augmentation(turns=0, mirrored=False, angle=0.0, factor=1.0, gains=(1.0, 1.0), seed=0)
WILD = AugmentConfig(rotate=180, zoom=0.8, gain=0.4, noise=0.1)
changes = st.builds(
    replace,
    st.just(STILL),
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
    angle=st.floats(-4, 4),
    factor=st.floats(0.4, 2.5),
    gains=st.just((1.0, 1.0)),
)


def window(side: int, dtype: str = "uint16") -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """The first band says the row, the second the column; the label is of neither turn nor mirror image itself."""
    rows, cols = np.mgrid[:side, :side]
    return Pixels(data=np.stack([rows, cols]).astype(dtype), valid=np.ones((side, side), dtype=bool)), (
        (3 * rows + cols) % 11
    ).astype(np.uint8)


def blank(pixels: Pixels, row: int, col: int, value: float = 60000) -> Pixels:
    """The same pixels, one of them invalid and of a value that must go nowhere."""
    data, valid = pixels.data.copy(), pixels.valid.copy()
    data[:, row, col], valid[row, col] = value, False
    return Pixels(data=data, valid=valid)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_turns_and_mirror_images_are_numpys_on_image_validity_and_label_alike(
    turns: int, mirrored: bool, dtype: str
) -> None:
    def expected(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        turned = np.rot90(array, turns, axes=(-2, -1))
        return np.flip(turned, -1) if mirrored else turned

    pixels, label = window(6, dtype)
    pixels = blank(pixels, 1, 4, 99)
    got, codes = apply(pixels, label, replace(STILL, turns=turns, mirrored=mirrored), 6, IGNORE)
    assert got.data.dtype == dtype
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(got.data, expected(pixels.data))
    np.testing.assert_array_equal(got.valid, expected(pixels.valid))
    np.testing.assert_array_equal(codes, expected(np.where(pixels.valid, label, IGNORE)))


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("quarters", [-2, -1, 1, 2])
def test_an_angle_of_whole_quarters_is_a_turn(side: int, quarters: int) -> None:
    pixels, label = window(side, "float32")
    pixels = blank(pixels, 1, 2)
    change = replace(STILL, angle=quarters * np.pi / 2)
    assert reach(change, side) == side
    got, codes = apply(pixels, label, change, side, IGNORE)
    expected, turned = apply(pixels, label, replace(STILL, turns=quarters % 4), side, IGNORE)
    np.testing.assert_array_equal(got.valid, expected.valid)
    np.testing.assert_array_equal(codes, turned)
    np.testing.assert_allclose(got.data[:, got.valid], expected.data[:, got.valid], atol=1e-5)


@given(change=changes, side=st.integers(1, 24))
def test_every_pixel_shows_the_place_that_the_geometry_says(change: Augmentation, side: int) -> None:
    source = reach(change, side)
    pixels, label = window(source, "float64")
    got, _ = apply(pixels, label, change, side, IGNORE)
    turn = (
        np.array([[np.cos(change.angle), np.sin(change.angle)], [-np.sin(change.angle), np.cos(change.angle)]])
        / change.factor
    )
    places = np.empty((2, side, side))
    for row in range(side):
        for col in range(side):
            places[:, row, col] = turn @ (np.array([row, col]) - (side - 1) / 2) + (source - 1) / 2
    places = np.rot90(places, change.turns, axes=(1, 2))
    np.testing.assert_allclose(got.data, places[..., ::-1] if change.mirrored else places, atol=1e-4)
    assert got.valid.all()


@pytest.mark.slow
@given(change=changes, side=st.integers(1, 40))
def test_reach_keeps_the_centre_and_is_no_larger_than_it_must_be(change: Augmentation, side: int) -> None:
    ends = np.array([(row, col) for row in (-1, 1) for col in (-1, 1)]) * (side - 1) / 2
    furthest = np.abs(ends @ np.array([np.cos(change.angle), np.sin(change.angle)])).max() / change.factor
    furthest = max(
        furthest, np.abs(ends @ np.array([-np.sin(change.angle), np.cos(change.angle)])).max() / change.factor
    )
    got = reach(change, side)
    assert (got - side) % 2 == 0
    assert furthest - 1e-5 <= (got - 1) / 2 < furthest + 1


def test_nothing_more_is_read_where_nothing_is_resampled() -> None:
    assert [reach(replace(STILL, turns=turns, mirrored=True, gains=(2.0, 2.0)), 256) for turns in range(4)] == [256] * 4


@pytest.mark.parametrize("seed", range(12))
def test_a_label_that_follows_from_the_image_still_does_after_any_change(seed: int) -> None:
    change = replace(draw_augmentation(WILD, 2, np.random.default_rng(seed)), gains=(1.0, 1.0))
    rows, cols = np.mgrid[: reach(change, 48), : reach(change, 48)]
    smooth = np.sin(rows / 9) + np.cos(cols / 7 + rows / 15)
    pixels = Pixels(data=smooth[None].astype(np.float32), valid=np.ones(smooth.shape, dtype=bool))
    got, codes = apply(pixels, (smooth > 0.2).astype(np.uint8), replace(change, gains=(1.0,)), 48, IGNORE)
    clear = np.abs(got.data[0] - 0.2) > 0.25
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(codes[clear], (got.data[0] > 0.2)[clear])


@pytest.mark.parametrize("seed", range(12))
def test_a_marked_pixel_and_its_label_move_together(seed: int) -> None:
    change = replace(draw_augmentation(WILD, 1, np.random.default_rng(seed)), gains=(1.0,), factor=1.3)
    source = reach(change, 33)
    label = np.zeros((source, source), dtype=np.uint8)
    label[source // 2 - 4, source // 2 + 3] = 1
    got, codes = apply(
        Pixels(data=label[None] * 100.0, valid=np.ones_like(label, dtype=bool)), label, change, 33, IGNORE
    )
    assert codes.sum() >= 1
    assert codes.flat[got.data.argmax()] == 1


def test_a_factor_of_2_doubles_distances() -> None:
    change = replace(STILL, factor=2.0)
    source = reach(change, 41)
    assert source == 21
    data = np.zeros((2, source, source), dtype=np.float32)
    data[:, 10, 10] = data[:, 6, 13] = 1
    got, _ = apply(
        Pixels(data=data, valid=np.ones((source, source), dtype=bool)),
        np.zeros((source, source), dtype=np.uint8),
        change,
        41,
        IGNORE,
    )
    assert np.argwhere(got.data[0] == 1).tolist() == [[12, 26], [20, 20]]


def test_a_positive_angle_goes_the_way_of_a_turn() -> None:
    little, quarter = replace(STILL, angle=np.radians(5)), replace(STILL, turns=1)
    pixels, label = window(reach(little, 21), "float32")
    nudged = apply(pixels, label, little, 21, IGNORE)[0].data - (pixels.data.shape[1] - 1) / 2
    pixels, label = window(21, "float32")
    turned = apply(pixels, label, quarter, 21, IGNORE)[0].data - 10
    assert np.sign(nudged[0, 10, 20]) == np.sign(turned[0, 10, 20]) != 0
    assert np.sign(nudged[1, 20, 10]) == np.sign(turned[1, 20, 10]) != 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.4e38, 1e30])
@given(change=changes, row=st.integers(0, 99), col=st.integers(0, 99), bright=st.booleans())
def test_what_is_invalid_never_bleeds(value: float, change: Augmentation, row: int, col: int, bright: bool) -> None:
    change = replace(change, gains=(1.5, 0.9)) if bright else change
    pixels, label = window(reach(change, 12), "float32")
    row, col = row % len(label), col % len(label)
    got, codes = apply(blank(pixels, row, col, value), label, change, 12, IGNORE)
    whole, known = apply(pixels, label, change, 12, IGNORE)
    np.testing.assert_array_equal(got.data[:, got.valid], whole.data[:, got.valid])
    np.testing.assert_array_equal(codes, np.where(got.valid, known, IGNORE))


@given(change=changes, row=st.integers(0, 99), col=st.integers(0, 99))
def test_a_pixel_is_invalid_just_where_an_invalid_one_has_a_say(change: Augmentation, row: int, col: int) -> None:
    source = reach(change, 12)
    one = np.zeros((1, source, source), dtype=np.float64)
    row, col = row % source, col % source
    one[0, row, col] = 1e6
    change, label = replace(change, gains=(1.0,)), np.zeros((source, source), dtype=np.uint8)
    share, _ = apply(Pixels(data=one, valid=np.ones((source, source), dtype=bool)), label, change, 12, IGNORE)
    got, _ = apply(
        blank(Pixels(data=one, valid=np.ones((source, source), dtype=bool)), row, col), label, change, 12, IGNORE
    )
    np.testing.assert_array_equal(got.valid, share.data[0] == 0)


def test_labels_keep_their_dtype_and_take_the_ignore_that_they_are_given() -> None:
    change = replace(STILL, angle=0.3)
    pixels, label = window(reach(change, 9))
    half = Pixels(data=pixels.data, valid=np.tril(pixels.valid))
    for dtype, ignore in (("uint16", 65535), ("int64", -1)):
        got, codes = apply(half, label.astype(dtype), change, 9, ignore)
        assert codes.dtype == dtype
        assert (codes[~got.valid] == ignore).all()
        assert (codes[got.valid] < 11).all()
        assert 0 < got.valid.mean() < 1


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_gains_multiply_each_band(angle: float) -> None:
    change = replace(STILL, angle=angle)
    pixels, label = window(reach(change, 10))
    before, after = (
        apply(pixels, label, replace(change, gains=gains), 10, IGNORE)[0].data for gains in ((1.0, 1.0), (1.25, 0.5))
    )
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, before * np.array([1.25, 0.5])[:, None, None], rtol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("value", [float("nan"), -3.4e38])
def test_values_that_are_computed_are_0_where_invalid(value: float, angle: float) -> None:
    change = replace(STILL, angle=angle, gains=(1.5, 0.9))
    source = reach(change, 9)
    pixels, label = window(source, "float32")
    got, _ = apply(blank(pixels, source // 2, source // 2, value), label, change, 9, IGNORE)
    assert not got.valid[4, 4]
    assert (got.data[:, ~got.valid] == 0).all()


def test_a_constant_image_stays_constant_to_the_bit() -> None:
    change = replace(STILL, angle=0.7, factor=0.9, gains=(1.0,))
    source = reach(change, 16)
    same = Pixels(data=np.full((1, source, source), 0.1, dtype=np.float32), valid=np.ones((source, source), dtype=bool))
    got, _ = apply(same, np.zeros((source, source), dtype=np.uint8), change, 16, IGNORE)
    assert (got.data == np.float32(0.1)).all()


def test_the_source_window_is_left_as_it_was() -> None:
    change = draw_augmentation(WILD, 2, np.random.default_rng(1))
    pixels, label = window(reach(change, 12))
    data, valid, codes = pixels.data.copy(), pixels.valid.copy(), label.copy()
    apply(pixels, label, change, 12, IGNORE)
    for now, then in ((pixels.data, data), (pixels.valid, valid), (label, codes)):
        np.testing.assert_array_equal(now, then)


def test_the_same_seed_draws_the_same_change_and_another_seed_another() -> None:
    first, again, other = (draw_augmentation(WILD, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    "off", [{"flip": False}, {"turn": False}, {"rotate": 0}, {"zoom": 0}, {"gain": 0}, {"noise": 0}]
)
def test_what_is_switched_off_leaves_the_other_draws_as_they_were(off: dict[str, Any]) -> None:
    parts = {"flip": "mirrored", "turn": "turns", "rotate": "angle", "zoom": "factor", "gain": "gains"}
    (name,) = off
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(8):
        full, less = draw_augmentation(WILD, 2, one), draw_augmentation(WILD.model_copy(update=off), 2, other)
        part = parts.get(name, "seed")
        assert replace(less, **{part: getattr(full, part)}) == full
        assert name == "noise" or getattr(less, part) == getattr(STILL, part)


def test_draws_fill_their_ranges_and_stay_within() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_augmentation(AugmentConfig(rotate=30, zoom=0.25, gain=0.2), 2, rng) for _ in range(2000)]
    angles, factors = np.degrees([change.angle for change in drawn]), np.array([change.factor for change in drawn])
    gains = np.array([change.gains for change in drawn])
    assert -30 <= angles.min() < -29 < 29 < angles.max() <= 30
    assert 0.8 <= factors.min() < 0.81 < 1.24 < factors.max() <= 1.25
    assert 0.8 * 0.94 <= gains.min() < 0.78 < 1.24 < gains.max() <= 1.2 * 1.06
    ratio = gains[:, 0] / gains[:, 1]
    assert 0.94 / 1.06 <= ratio.min() < 0.9 < 1.1 < ratio.max() <= 1.06 / 0.94
    assert np.bincount([change.turns for change in drawn]).min() > 400
    assert 800 < sum(change.mirrored for change in drawn) < 1200
    assert len({change.seed for change in drawn}) == 2000


def test_noise_has_the_spread_that_was_asked_for_and_spares_what_is_invalid() -> None:
    valid = np.ones((64, 64), dtype=bool)
    valid[:, :16] = False
    x = torch.ones(3, 64, 64) * torch.from_numpy(valid)
    got = noisy(x, valid, 0.5, np.random.default_rng(0))
    assert got.dtype == torch.float32
    assert (got[:, :, :16] == 0).all()
    added = (got - x)[:, :, 16:]
    assert added.std().item() == pytest.approx(0.5, rel=0.05)
    assert abs(added.mean().item()) < 0.02
    assert not torch.equal(added[0], added[1])


def test_noise_is_the_same_for_the_same_seed_and_none_is_none() -> None:
    x, valid = torch.zeros(1, 2, 8, 8), np.ones((8, 8), dtype=bool)
    first, again, other = (noisy(x, valid, 1.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(noisy(x, valid, 0.0, np.random.default_rng(1)), x)
    assert (x == 0).all()
