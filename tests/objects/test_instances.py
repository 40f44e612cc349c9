"""Ids of objects in place of classes: equal to those of the whole image, whatever the blocks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.geometry.grid import Grid
from pipeline.objects.choice import ObjectChoice
from pipeline.objects.instances import find_instances
from pipeline.objects.mask import mask_blocks
from pipeline.objects.sizes import ObjectSize
from tests.objects.test_components import ArrayMask, masks, reference_ids
from tests.store import specs


def ids_of(array: np.ndarray, side: int, choice: ObjectChoice, transform: Any = (0.5, 0, 0, 0, 0.5, 0)) -> np.ndarray:
    grid = Grid(height=array.shape[0], width=array.shape[1], transform=transform, unit="um")
    image = np.full(array.shape, 99)
    with TemporaryDirectory() as folder:
        instances = find_instances(mask_blocks(ArrayMask(array), side), grid, Path(folder) / "scratch", choice)
        for position in instances.components.blocks.positions.tolist():
            window, ids = instances.read(tuple(position))
            assert ids.dtype == np.uint32
            image[window.slices] = ids
    return image


@given(
    array=masks((0, 1, 2, 255)),
    side=st.integers(1, 9),
    connectivity=st.sampled_from([4, 8]),
    codes=st.sampled_from([(0,), (1, 2), (0, 1, 2)]),
    size=st.sampled_from([None, ObjectSize(3, "px"), ObjectSize(0.75, "um2")]),
)
def test_ids_are_those_of_the_whole_image(
    array: np.ndarray, side: int, connectivity: Any, codes: tuple[int, ...], size: ObjectSize | None
) -> None:
    ids = reference_ids(array, connectivity)
    counts = np.bincount(ids.ravel())
    taken = np.isin(array, codes) & (counts[ids] >= (1 if size is None else 3))  # 0.75 µm² are 3 px
    choice = ObjectChoice(connectivity=connectivity, codes=codes, min_area=size)
    assert (ids_of(array, side, choice) == np.where(taken, ids, 0)).all()


def test_a_choice_without_classes_leaves_the_background_out() -> None:
    assert ObjectChoice().resolved(specs.CLASSES, "m2").codes == (0, 3)
    assert ObjectChoice(codes=(7,)).resolved(specs.CLASSES, "m2").codes == (7,)
    with pytest.raises(InputError, match="no class 5"):
        ObjectChoice(codes=(5,)).resolved(specs.CLASSES, "m2")
    with pytest.raises(InputError, match="cannot be compared"):
        ObjectChoice(min_area=ObjectSize(1, "um2")).resolved(specs.CLASSES, "m2")
