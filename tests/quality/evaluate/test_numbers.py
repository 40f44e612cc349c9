"""Values against labels that are numbers: the scores are numpy's over the whole raster, whatever the pieces."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import InputError, LabelsError, StoreError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.number_report import number_document, number_lines
from pipeline.quality.evaluate.numbers import ChannelScore, evaluate_numbers
from pipeline.quality.labels.numbers import open_numbers
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.values import ValuesSpec
from tests import scenes
from tests.store import specs

HEIGHT, WIDTH, BLOCK = 100, 130, 64
NAMES = ("height", "biomass")
FLOATS = ValuesSpec(channels=NAMES)
INTEGERS = ValuesSpec(channels=NAMES, dtype="int16", scale=(0.01, 0.1), offset=(0.0, 50.0), nodata=-32768)


def fields(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.normal(20, 5, (HEIGHT, WIDTH)), rng.normal(300, 80, (HEIGHT, WIDTH))])


def store(path: Path, numbers: np.ndarray, values: ValuesSpec = FLOATS, committed: int | None = None) -> StoreLevel:
    """A store of numbers, NaN where invalid, with blocks of 64 px, the first so many of them committed."""
    of = specs.spec(layers=("values",), classes=(), values=values)
    meta = {
        "blocks": [2, 3],
        "tiles": {"block": BLOCK, "chunk": 32, "shard": None},
        "classes": [],
        "config": {"output": {"layers": ["values"]}},
        "fingerprint": {},
        "id": "a",
    }
    create(path, of, meta)
    stored = numbers
    if values.nodata is not None:
        factors = (np.array(side)[:, None, None] for side in (values.offset, values.scale))
        offset, scale = factors
        stored = np.where(np.isnan(numbers), values.nodata, np.rint((np.nan_to_num(numbers) - offset) / scale))
    open_layer(path, 0, "values")[:] = stored.astype(values.dtype)
    blocks = [(row, col) for row in range(2) for col in range(3)]
    for block in blocks[:committed]:
        Ledger(path).commit(block, {"chunks": {}})
    return open_store(path)


def labels(path: Path, data: np.ndarray, **profile: Any) -> Path:
    return scenes.write(path, data.astype("float32"), **profile)


def holes(numbers: np.ndarray) -> np.ndarray:
    numbers = numbers.copy()
    numbers[:, 20:30, 40:70] = np.nan
    return numbers


def expected(numbers: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Textbook formulas over all pixels at once."""
    judged = ~np.isnan(numbers) & ~np.isnan(truth)
    error, known = numbers[judged] - truth[judged], truth[judged]
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "bias": float(np.mean(error)),
        "r2": float(1 - np.sum(error**2) / np.sum((known - known.mean()) ** 2)),
    }


@pytest.mark.parametrize("values", [FLOATS, INTEGERS], ids=["floats", "integers"])
@pytest.mark.parametrize("side", [None, 17, 64])
def test_scores_are_those_of_the_whole_raster(tmp_path: Path, values: ValuesSpec, side: int | None) -> None:
    numbers, truth = holes(fields(0)).astype("float32").astype(float), fields(1).astype("float32").astype(float)
    truth[:, :10] = np.nan
    level = store(tmp_path / "a.zarr", numbers, values)
    found = evaluate_numbers(level, open_numbers(str(labels(tmp_path / "l.tif", truth)), level.grid, NAMES), side=side)
    for k, score in enumerate(found.channels):
        held = level.read_channel(k, Window(row=0, col=0, height=HEIGHT, width=WIDTH))
        for name, value in expected(held, truth[k]).items():
            assert getattr(score, name) == pytest.approx(value, rel=1e-9), name
        assert np.nanmax(np.abs(held - numbers[k])) <= (values.scale[k] if values.scale else 0)
        assert score.missed == 10 * 30
        assert score.pixels == 90 * WIDTH - 10 * 30


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), min_size=1, max_size=6),
    st.floats(-1e5, 1e5, width=32),
)
def test_sums_of_parts_are_those_of_all(parts: list[list[float]], shift: float) -> None:
    score = ChannelScore(name="a")
    for part in parts:
        truth = np.array([part])
        score.add(truth + shift, truth)
    known = np.concatenate([np.array(part) for part in parts])
    assert score.label_mean == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
    assert score.label_squares == pytest.approx(((known - known.mean()) ** 2).sum(), rel=1e-6, abs=1e-3)
    assert score.bias == pytest.approx(float(np.mean((known + shift) - known)), rel=1e-9, abs=1e-9)


def test_labels_that_are_all_alike_have_no_r2(tmp_path: Path) -> None:
    level = store(tmp_path / "a.zarr", fields(0))
    same = open_numbers(str(labels(tmp_path / "l.tif", np.full((2, HEIGHT, WIDTH), 7.0))), level.grid, NAMES)
    found = evaluate_numbers(level, same)
    assert math.isnan(found.channels[0].r2)
    document = number_document(found, level, "l.tif")
    assert document["channels"][0]["r2"] is None
    assert json.loads(json.dumps(document)) == document
    assert any("–" in line for line in number_lines(found, level, "l.tif"))


def test_one_channel_is_judged_by_labels_of_one_band(tmp_path: Path) -> None:
    numbers, truth = fields(0), fields(1)
    level = store(tmp_path / "a.zarr", numbers)
    path = str(labels(tmp_path / "l.tif", truth[1:]))
    found = evaluate_numbers(level, open_numbers(path, level.grid, NAMES, channel="biomass"))
    assert [score.name for score in found.channels] == ["biomass"]
    assert found.channels[0].rmse == pytest.approx(np.sqrt(np.mean((numbers[1] - truth[1]) ** 2)), rel=1e-5)
    with pytest.raises(LabelsError, match="have 1 bands, but 2 channels"):
        open_numbers(path, level.grid, NAMES)
    with pytest.raises(LabelsError, match="It may be height, biomass"):
        open_numbers(path, level.grid, NAMES, channel="hieght")


def test_nodata_infinity_and_ignored_numbers_say_nothing_and_scales_of_the_file_hold(tmp_path: Path) -> None:
    level = store(tmp_path / "a.zarr", fields(0))
    truth = np.full((1, HEIGHT, WIDTH), 5.0)
    truth[0, 0, :4] = (-9999, np.inf, np.nan, -1)
    path = labels(tmp_path / "l.tif", truth, nodata=-9999)

    with rasterio.open(path, "r+") as raster:
        raster.scales, raster.offsets = (2.0,), (1.0,)
    known = open_numbers(str(path), level.grid, NAMES, channel="height", ignore=["-1"])
    read = known.read(0, Window(row=-1, col=0, height=3, width=6))
    assert np.isnan(read[0]).all()
    assert np.isnan(read[1]).tolist() == [True] * 4 + [False] * 2
    assert read[1, 5] == 11
    with pytest.raises(LabelsError, match="labels are numbers"):
        open_numbers(str(path), level.grid, NAMES, channel="height", ignore=["water"])


def test_labels_of_another_grid_are_read_at_the_centres(tmp_path: Path) -> None:
    level = store(tmp_path / "a.zarr", fields(0))
    coarse = fields(1)[:, ::2, ::2]

    path = labels(tmp_path / "l.tif", coarse, transform=from_origin(500_000, 4_600_000, 20, 20))
    read = open_numbers(str(path), level.grid, NAMES).read(1, Window(row=0, col=0, height=HEIGHT, width=WIDTH))
    np.testing.assert_allclose(read, coarse[1].repeat(2, 0).repeat(2, 1).astype("float32"))


def test_an_unfinished_store_is_judged_by_its_committed_blocks_alone(tmp_path: Path) -> None:
    level = store(tmp_path / "a.zarr", fields(0), committed=1)
    known = open_numbers(str(labels(tmp_path / "l.tif", fields(1))), level.grid, NAMES)
    with pytest.raises(StoreError, match="unfinished: 1 of 6 blocks"):
        evaluate_numbers(level, known)
    found = evaluate_numbers(level, known, partial=True)
    assert found.channels[0].pixels == BLOCK**2
    assert any("1 of 6 blocks" in line for line in number_lines(found, level, "l.tif"))


def test_a_window_is_judged_as_if_nothing_else_had_a_label(tmp_path: Path) -> None:
    numbers, truth = fields(0), fields(1)
    level = store(tmp_path / "a.zarr", numbers)
    known = open_numbers(str(labels(tmp_path / "l.tif", truth)), level.grid, NAMES)
    window = Window(row=10, col=20, height=30, width=40)
    found = evaluate_numbers(level, known, window=window, side=16)
    error = (numbers - truth)[0][window.slices]
    assert found.channels[0].bias == pytest.approx(error.mean(), rel=1e-4)
    empty = open_numbers(str(labels(tmp_path / "n.tif", np.full((2, HEIGHT, WIDTH), np.nan))), level.grid, NAMES)
    with pytest.raises(InputError, match="No pixel that is judged has a label"):
        evaluate_numbers(level, empty)


def test_polygons_and_missing_files_are_refused(tmp_path: Path) -> None:
    grid = Grid(height=HEIGHT, width=WIDTH)
    with pytest.raises(LabelsError, match="polygons, which hold no number"):
        open_numbers("a.geojson", grid, NAMES)
    with pytest.raises(LabelsError, match="Give a raster of numbers"):
        open_numbers(str(tmp_path / "none.tif"), grid, NAMES)


def test_the_command_prints_a_table_and_writes_a_document(tmp_path: Path) -> None:
    store(tmp_path / "a.zarr", holes(fields(0)))
    path = labels(tmp_path / "l.tif", fields(1))
    command = ["evaluate", str(tmp_path / "a.zarr"), "--labels", str(path)]
    said = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "s.json"), "--html", str(tmp_path / "s.html")])
    assert said.exit_code == 0, said.output
    assert "RMSE" in said.output
    assert "biomass" in said.output
    assert "biomass, difference" in (tmp_path / "s.html").read_text(encoding="utf-8")
    document = json.loads((tmp_path / "s.json").read_text())
    assert [row["name"] for row in document["channels"]] == list(NAMES)
    assert set(document["channels"][0]) == {"name", "pixels", "missed", "rmse", "mae", "bias", "r2"}
    for extra, words in ((["--map", "a=b"], "--map is for classes"), (["--judge", "mask"], "no such layer")):
        refused = CliRunner().invoke(app, [*command, *extra])
        assert isinstance(refused.exception, InputError)
        assert words in str(refused.exception)


def test_a_score_is_plain_values() -> None:
    assert asdict(ChannelScore(name="a"))["pixels"] == 0
    assert all(math.isnan(getattr(ChannelScore(name="a"), name)) for name in ("rmse", "mae", "bias", "r2"))
