"""Numbers as colours."""

from pathlib import Path

import numpy as np
import rasterio

from pipeline.exports import quicklook
from pipeline.exports.stretch import stretch
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.values import ValuesSpec
from tests.store import specs


def test_one_channel_is_grey_between_its_percentiles() -> None:
    numbers = np.linspace(0, 100, 10_001, dtype=np.float32).reshape(1, 73, 137)
    made = stretch(numbers, ValuesSpec(channels=("height",)))
    assert made.legend == [("height: 2 to 98", (128, 128, 128))]
    assert (made.colors[..., 0] == made.colors[..., 1]).all()
    assert (int(made.colors.min()), int(made.colors.max())) == (0, 255)
    np.testing.assert_allclose(made.colors[..., 0], (numbers[0] - 2).clip(0, 96) / 96 * 255, atol=0.51)


def test_three_channels_are_red_green_and_blue_in_the_units_of_each() -> None:
    rng = np.random.default_rng(0)
    spec = ValuesSpec(channels=tuple("abc"), dtype="int16", scale=(0.1,) * 3, offset=(5.0, 0.0, 0.0), nodata=-32768)
    stored = rng.integers(0, 100, (3, 40, 40)).astype(np.int16)
    stored[:, :4] = -32768
    made = stretch(stored, spec)
    assert [name.split(":")[0] for name, _ in made.legend] == ["a", "b", "c"]
    assert made.legend[0][0].startswith("a: 5")
    assert made.valid[4:].all()
    assert not made.valid[:4].any()
    order = np.argsort(stored[1, 4:].ravel(), kind="stable")
    assert (np.diff(made.colors[4:, :, 1].ravel()[order].astype(int)) >= 0).all()


def test_two_channels_show_the_first_and_a_constant_one_is_grey() -> None:
    made = stretch(np.full((2, 5, 5), 7.0, dtype=np.float32), ValuesSpec(channels=("a", "b")))
    assert len(made.legend) == 1
    assert (made.colors == 128).all()
    nothing = stretch(np.full((1, 5, 5), np.nan, dtype=np.float32), ValuesSpec(channels=("a",)))
    assert not nothing.valid.any()


def test_a_store_of_values_is_drawn_with_its_holes(tmp_path: Path) -> None:
    of = specs.spec(layers=("values",), classes=(), values=ValuesSpec(channels=("height",)), levels=1)
    create(tmp_path / "a.zarr", of, {"config": {"output": {"layers": ["values"]}}})
    numbers = np.tile(np.arange(of.grid.width, dtype=np.float32), (1, of.grid.height, 1))
    numbers[:, 50:] = np.nan
    open_layer(tmp_path / "a.zarr", 0, "values")[:] = numbers
    with rasterio.open(quicklook.write(tmp_path / "a.zarr", of)) as picture:
        drawn = picture.read()
    scale = 5
    top = drawn[:, quicklook.MARGIN : quicklook.MARGIN + 50 * scale, quicklook.MARGIN : quicklook.MARGIN + 130 * scale]
    assert (top[0] == top[1]).all()
    assert (np.diff(top[0][0].astype(int)) >= 0).all()
    below = drawn[:, quicklook.MARGIN + 50 * scale : quicklook.MARGIN + 100 * scale, quicklook.MARGIN + 5]
    assert set(np.unique(below)) <= {214, 246}
