from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.geometry.window import Window
from pipeline.store import picture as pictures
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.picture import SourcePicture, open_picture
from pipeline.store.picture_spec import MAX_CHUNK, MAX_COPY, MAX_PICTURE_SIDE, PictureSpec, picture_chunk, picture_scale
from tests.store import specs

SPEC = PictureSpec(bands=(2, 0), scale=3, dtype="uint16", chunk=16)


@given(side=st.integers(1, 10**6), block=st.integers(1, 2**13))
def test_a_chunk_of_a_picture_never_holds_pixels_of_two_blocks(side: int, block: int) -> None:
    scale = picture_scale(side, side // 2 + 1, block)
    if scale is None:
        assert -(-side // block) > MAX_PICTURE_SIDE
        return
    chunk = picture_chunk(block, scale)
    assert (block % (scale * chunk) == 0) or block >= side
    assert -(-side // scale) <= (MAX_PICTURE_SIDE if side > MAX_COPY else MAX_COPY)
    assert chunk <= max(MAX_CHUNK, -(-block // scale))


def test_a_raster_is_kept_as_it_is_or_halved_at_the_least() -> None:
    assert [picture_scale(side, 10, 512) for side in (MAX_COPY, MAX_COPY + 1, 8192, 8193)] == [1, 2, 2, 4]
    assert picture_scale(10**7, 10, 512) is None  # not even one pixel a block


def filled(folder: Path, **changes: Any) -> tuple[SourcePicture, np.ndarray]:
    """A store with a picture, and its planes: numbers that say where they are, and an unknown corner."""
    store = folder / "job.zarr"
    create(store, specs.spec(picture=SPEC, **changes), {"picture": SPEC.as_dict()})
    rows, cols = np.mgrid[:34, :44]
    planes = np.stack([1 + rows * 50 + cols, 5000 - rows - cols * 90, np.where(rows + cols < 6, 0, 1 + rows)])
    planes[:, planes[-1] == 0] = 0
    open_layer(store, 0, "mask/picture")[:] = planes.astype("uint16")
    found = open_picture(store)
    assert found is not None
    return found, planes


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_window_of_a_picture_is_its_numbers_and_what_is_valid(tmp_path: Path, zarr_format: int) -> None:
    picture, planes = filled(tmp_path, zarr_format=zarr_format)
    assert (picture.height, picture.width, picture.scale, picture.names) == (34, 44, 3, ("band 3", "band 1"))
    values, valid = picture.read(Window(row=-3, col=7, height=40, width=50))
    assert values.shape == (2, 40, 50)
    assert values.dtype == np.float32
    assert (values[:, 3:37, :37] == planes[:-1, :, 7:]).all()
    assert (valid[3:37, :37] == (planes[-1, :, 7:] > 0)).all()
    assert not valid[:3].any()
    assert not valid[37:].any()
    assert not valid[:, 37:].any()


@given(row=st.integers(-5, 40), col=st.integers(-5, 50), height=st.integers(0, 50), width=st.integers(1, 50))
def test_any_window_is_that_of_the_whole(row: int, col: int, height: int, width: int) -> None:
    whole = np.arange(34 * 44).reshape(34, 44)
    window = Window(row=row, col=col, height=height, width=width)
    picture = Stored(store=Path(), spec=SPEC, height=34, width=44)
    expected = np.zeros((60, 105), int) - 1
    expected[5:39, 5:49] = whole
    expected = expected[row + 5 : row + 5 + height, col + 5 : col + 5 + width]
    for step in (1, 3):
        values, valid = picture._read(window, step)
        cut = expected[::step, ::step][: values.shape[1], : values.shape[2]]
        found = np.where(valid, values[0], -1)[: cut.shape[0], : cut.shape[1]]
        assert (found == cut).all()


class Stored(SourcePicture):
    """A picture without a store."""

    def _planes(self, rows: slice, cols: slice) -> Any:
        whole = np.arange(34 * 44).reshape(34, 44)[rows, cols]
        return np.stack([whole, whole, np.full(whole.shape, 100)])


def test_the_stretch_is_that_of_the_whole_picture_and_an_overview_takes_every_nth_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, planes = filled(tmp_path)
    values, valid, scale = picture.overview(15)
    assert scale == 9
    assert (values == planes[:-1, ::3, ::3]).all()
    assert (valid == (planes[-1] > 0)[::3, ::3]).all()
    known = planes[:-1, planes[-1] > 0]
    assert picture.stretch == tuple(tuple(np.percentile(band, (2, 98))) for band in known)
    monkeypatch.setattr(pictures, "STRETCH_PX", 1)
    assert picture.stretch[0][0] == np.percentile(known[0], 2)  # once, and not again


def test_a_store_without_a_picture_and_one_whose_picture_was_deleted_have_none(tmp_path: Path) -> None:
    plain = tmp_path / "plain.zarr"
    create(plain, specs.spec(), {})
    assert open_picture(plain) is None
    picture, _ = filled(tmp_path)
    for file in (tmp_path / "job.zarr/0/mask/picture").rglob("*"):
        if file.is_file():
            file.unlink()
    assert open_picture(picture.store) is None


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    picture, _ = filled(tmp_path)
    next(path for path in (picture.store / "0/mask/picture/c").rglob("*") if path.is_file()).write_bytes(b"?")
    with pytest.raises(StoreError, match=r"0/mask/picture back from a copy, or delete it"):
        picture.read(Window(row=0, col=0, height=34, width=44))


def test_zarr_sees_no_array_below_an_array(tmp_path: Path) -> None:
    picture, _ = filled(tmp_path)
    names = {name for name, _ in zarr.open_group(picture.store, mode="r").members(max_depth=None)}
    assert "0/mask" in names
    assert not any("picture" in name for name in names)
