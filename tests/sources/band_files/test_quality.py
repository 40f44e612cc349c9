from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources import open_source
from tests import products


def source(path: Path, **more: Any) -> Any:
    return open_source(SourceConfig.model_validate({"kind": "bands", "path": str(path), **more}))


def read(opened: Any) -> Any:
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def classes(*places: tuple[int, int]) -> np.ndarray:
    """(24, 24) of a band SCL of 20 m: vegetation, and clouds at some places."""
    band = np.full((24, 24), 4, np.uint8)
    for place in places:
        band[place] = 9
    return band


def test_listed_classes_alone_are_valid(tmp_path: Path) -> None:
    root = products.safe(tmp_path, extra={"SCL": classes((20, 10))})
    for allowed in ([4, 5], ["vegetation", 6]):
        got = read(source(root, bands=["B02"], valid={"scl": allowed}))
        clear = read(source(root, bands=["B02"]))
        assert np.argwhere(clear.valid & ~got.valid).tolist() == [[40, 20], [40, 21], [41, 20], [41, 21]]
        assert CAUSES[got.causes[40, 20]] == "quality"
        assert CAUSES[got.causes[0, 0]] == "nodata"


def test_a_sum_with_a_pixel_that_does_not_count_is_invalid(tmp_path: Path) -> None:
    root = products.safe(tmp_path, extra={"SCL": classes((20, 10))})
    got = read(source(root, bands=["B02", "B05"], valid={"SCL": [4]}))
    places = np.argwhere(~got.valid & read(source(root, bands=["B02", "B05"])).valid)
    assert (places.min(0).tolist(), places.max(0).tolist(), len(places)) == ([39, 19], [42, 22], 16)
    nearest = read(source(root, bands=["B02", "B05"], valid={"SCL": [4]}, resampling="nearest"))
    assert (~nearest.valid & (read(source(root, bands=["B02", "B05"], resampling="nearest")).valid)).sum() == 4


def test_a_coarser_pixel_is_invalid_where_any_that_it_covers_is(tmp_path: Path) -> None:
    root = products.safe(tmp_path, extra={"SCL": classes((20, 10))})
    got = read(source(root, bands=["B01"], valid={"scl": {"not": [8, "cloud_high"]}}))
    assert got.valid.shape == (8, 8)
    assert np.argwhere(~got.valid & (products.reflected_light(60, 1) > 0)).tolist() == [[6, 3]]


def test_flags_are_bits_whatever_the_others_are(tmp_path: Path) -> None:
    quality = np.full((16, 16), 0b1000000, np.uint16)
    quality[8, 8:12] = [0b1, 0b1000, 0b11000, 0b10000100]
    root = products.landsat(tmp_path, extra={"QA_PIXEL": quality})
    got = read(source(root, bands=["red"], valid={"qa_pixel": {"not": ["fill", "cloud", "shadow"]}}))
    assert got.valid[8, 8:13].tolist() == [False, False, False, True, True]
    assert not read(source(root, bands=["red"], valid={"qa_pixel": {"not": [0b10000100]}})).valid[8, 11]


def test_windows_equal_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    root = products.safe(tmp_path, extra={"SCL": rng.choice([4, 9], (24, 24), p=[0.9, 0.1]).astype("uint8")})
    opened = source(root, bands=["B02", "B05", "B01"], valid={"scl": [4]}, resampling="cubic")
    whole = read(opened)
    for row, col, height, width in rng.integers(1, 30, (20, 4)).tolist():
        window = Window(row=row, col=col, height=min(height, 48 - row), width=min(width, 48 - col))
        assert (opened.read(window).valid == whole.valid[window.slices]).all()


def test_a_rule_belongs_to_the_identity_and_survives_the_store(tmp_path: Path) -> None:
    root = products.safe(tmp_path, extra={"SCL": classes()})
    config = SourceConfig.model_validate(
        {"kind": "bands", "path": str(root), "bands": ["B02"], "valid": {"scl": {"not": [9]}}}
    )
    assert json.loads(config.model_dump_json())["valid"] == {"scl": {"not": [9]}}
    assert SourceConfig.model_validate(config.model_dump(mode="json")) == config
    first = open_source(config)
    assert json.loads(json.dumps(first.identity())) == first.identity()
    assert "scl of T33TUG_20240601T100031_SCL_20m.jp2 says which pixels are valid" in first.notes
    assert first.identity() != source(root, bands=["B02"], valid={"scl": {"not": [8]}}).identity()
    assert first.identity() != source(root, bands=["B02"]).identity()


def test_names_that_a_band_does_not_have_are_refused(tmp_path: Path) -> None:
    root = products.safe(tmp_path, extra={"SCL": classes()})
    with pytest.raises(SourceError, match=r"source.valid names fog of the band scl.*cloud_high"):
        source(root, bands=["B02"], valid={"scl": ["fog"]})
    with pytest.raises(SourceError, match=r"asks for qa_pixel, but .* has no such band"):
        source(root, bands=["B02"], valid={"qa_pixel": {"not": ["cloud"]}})
