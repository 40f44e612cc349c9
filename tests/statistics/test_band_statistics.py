"""Numbers of bands by counting are those that numpy finds of all values at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.statistics.band_statistics import Measure, measure_bands, statistics_of
from pipeline.statistics.counting import Counting, PlaneCounts
from pipeline.statistics.sort_keys import key_value, sort_keys

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float16", "float32", "float64")
PERCENTS = ((2.0, 98.0), (0.0, 100.0), (37.3, 50.0), (1.0, 99.8))


def values(dtype: str, count: int, seed: int = 0) -> np.ndarray:
    """(2, count), with ties, and of both signs where there are any."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype)
    if kind.kind == "f":
        return (rng.normal(size=(2, count)) * 100).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(max(limits.min, -(10**6)), min(limits.max, 10**6), (2, count)).astype(kind)


def measure(method: str, dtype: str, **more: Any) -> Measure:
    return Measure(method=method, bands=2, dtype=dtype, **more)


@pytest.mark.parametrize("dtype", DTYPES)
def test_percentiles_are_numpys_to_the_last_bit(dtype: str) -> None:
    for count in (1, 2, 5, 1009):
        data = values(dtype, count)
        for percents in PERCENTS:
            each = statistics_of(measure("percentile", dtype, percents=percents), data)
            assert list(each.pairs) == [tuple(np.percentile(band.astype(float), percents)) for band in data]
            joint = statistics_of(measure("percentile", dtype, percents=percents, joint=True), data)
            assert list(joint.pairs) == [tuple(np.percentile(data.astype(float), percents))] * 2
            assert each.pixels == joint.pixels == count


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_are_exact_and_moments_numpys_to_rounding(dtype: str) -> None:
    data = values(dtype, 1009)
    assert list(statistics_of(measure("minmax", dtype), data).pairs) == [(band.min(), band.max()) for band in data]
    right = [(band.mean(dtype=float), band.std(dtype=float)) for band in data]
    np.testing.assert_allclose(statistics_of(measure("standardise", dtype), data).pairs, right, rtol=1e-12)
    joint = statistics_of(measure("standardise", dtype, joint=True), data)
    np.testing.assert_allclose(joint.pairs[1], (data.mean(dtype=float), data.std(dtype=float)), rtol=1e-12)


def test_moments_of_small_integers_are_rounded_once() -> None:
    data = np.array([[0, 1, 1, 65535], [3, 3, 3, 3]], "uint16")
    (mean, deviation), constant = statistics_of(measure("standardise", "uint16"), data).pairs
    assert mean == 65537 / 4
    assert deviation == np.sqrt((4 * (2 + 65535**2) - 65537**2) / 16)
    assert constant == (3, 0)


def test_floats_far_from_0_lose_nothing() -> None:
    data = 1e6 + values("float64", 4001) * 1e-3
    pairs = statistics_of(measure("standardise", "float64"), data).pairs
    np.testing.assert_allclose([deviation for _, deviation in pairs], data.std(1), rtol=1e-9)


@pytest.mark.parametrize(
    ("method", "dtype"), [("percentile", "float32"), ("minmax", "float32"), ("standardise", "int16")]
)
def test_counts_of_parts_add_up_to_those_of_the_whole(method: str, dtype: str) -> None:
    data = values(dtype, 3001)

    def count(counting: Counting) -> PlaneCounts:
        total = counting.empty()
        for start in range(0, 3001, 700):
            part = counting.empty()
            for plane, band in enumerate(data):
                counting.add(part, plane, band[start : start + 700])
            counting.merge(total, part)
        return total

    assert measure_bands(measure(method, dtype), count) == statistics_of(measure(method, dtype), data)


def test_the_pass_of_floats_is_repeated_for_each_sixteen_bits() -> None:
    passes: list[Counting] = []

    def count(counting: Counting) -> PlaneCounts:
        passes.append(counting)
        counts = counting.empty()
        for plane, band in enumerate(values("float32", 100)):
            counting.add(counts, plane, band)
        return counts

    wanted = measure("percentile", "float32")
    measure_bands(wanted, count)
    assert len(passes) == wanted.passes == 2
    assert [counting.shift for counting in passes] == [16, 0]


def test_nothing_is_known_of_no_pixel() -> None:
    for method in ("percentile", "minmax", "standardise"):
        found = statistics_of(measure(method, "float32"), np.empty((2, 0), "float32"))
        assert (found.pixels, found.pairs) == (0, ())


@pytest.mark.parametrize("dtype", DTYPES)
def test_keys_sort_as_values_do_and_lead_back_to_them(dtype: str) -> None:
    data = values(dtype, 500)[0]
    keys = sort_keys(data)
    assert keys.dtype.kind == "u"
    assert (np.argsort(keys, kind="stable") == np.argsort(data, kind="stable")).all()
    assert [key_value(int(key), data.dtype) for key in keys[:50]] == data[:50].tolist()
