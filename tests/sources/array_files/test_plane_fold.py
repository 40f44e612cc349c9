"""Planes that become one are what NumPy makes of all of them at once."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from pipeline.interfaces import CAUSES
from pipeline.sources.array_files.plane_fold import PlaneFold, Projection

NODATA = CAUSES.index("nodata")


def folded(planes: np.ndarray, projection: Projection, rule: str = "all", invalid: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    """(bands, rows, cols) of (planes, bands, rows, cols), added in two parts each."""
    fold = PlaneFold(projection, planes.shape[1:], planes.dtype, rule)  # type: ignore[arg-type]
    for k, plane in enumerate(planes):
        for rows in (slice(0, 3), slice(3, None)):
            marks = (
                [None] * len(plane)
                if invalid is None
                else list(np.where(invalid[k], NODATA, 0)[:, rows].astype(np.uint8))
            )
            fold.add(plane[:, rows], marks, (slice(None), rows, slice(None)))
    return fold.result()


def numbers(dtype: str, planes: int = 7) -> np.ndarray:
    rng = np.random.default_rng(1)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1e3, (planes, 2, 5, 4)).astype(dtype)
    info = np.iinfo(dtype)
    array = rng.integers(info.min, info.max, (planes, 2, 5, 4), dtype=dtype, endpoint=True)
    array[:, 0, 0, 0], array[:, 0, 0, 1] = info.max, info.min  # sums that overflow the dtype
    return array


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
def test_a_mean_of_integers_is_the_exact_one_rounded_half_up(dtype: str) -> None:
    planes = numbers(dtype)
    data, codes = folded(planes, "mean")
    exact = [
        floor(Fraction(sum(int(value) for value in column), len(planes)) + Fraction(1, 2))
        for column in planes.reshape(len(planes), -1).T
    ]
    assert data.dtype == dtype
    assert data.ravel().tolist() == exact
    assert codes == [None, None]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64", "float32"])
def test_the_largest_of_planes_is_that_of_numpy(dtype: str) -> None:
    planes = numbers(dtype)
    assert (folded(planes, "max")[0] == planes.max(0)).all()


def test_a_mean_of_floats_is_summed_in_float64() -> None:
    planes = numbers("float32", 101)
    assert (folded(planes, "mean")[0] == planes.astype("float64").mean(0).astype("float32")).all()


@pytest.mark.parametrize("projection", ["max", "mean"])
def test_planes_that_are_invalid_are_passed_over_unless_any_makes_a_pixel_invalid(projection: Projection) -> None:
    planes = numbers("int16")
    invalid = np.random.default_rng(2).random(planes.shape) < 0.5
    invalid[:, 1, 2, 3] = True
    valid = np.ma.array(planes.astype(np.int64), mask=invalid)
    exact = valid.max(0) if projection == "max" else np.floor(valid.mean(0) + 0.5)
    data, codes = folded(planes, projection, "all", invalid)
    assert (data == exact.filled(0)).all()
    assert (np.stack(codes) == np.where(invalid.all(0), NODATA, 0)).all()  # type: ignore[arg-type]
    data, codes = folded(planes, projection, "any", invalid)
    assert (np.stack(codes) == np.where(invalid.any(0), NODATA, 0)).all()  # type: ignore[arg-type]
    assert (data[~invalid.any(0)] == exact[~invalid.any(0)]).all()
