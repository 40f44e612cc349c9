"""Sources of several inputs are one raster of all their bands, on one grid."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.transform import Affine, from_origin

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES, Source
from pipeline.sources.inputs import InputSection, open_inputs
from pipeline.sources.wrappers.read_timeout import TimeoutSource
from tests import scenes

PLAIN = {"crs": None, "transform": Affine.identity()}


def section(name: str, **keys: Any) -> InputSection:
    config = SourceConfig(**{key: str(value) if key == "path" else value for key, value in keys.items()})
    return InputSection(name=name, section=f"model.inputs.{name}", config=config)


def both(folder: Path, reference: SourceConfig | None = None, **keys: Any) -> Source:
    first = section("before", path=folder / "a.tif")
    return open_inputs([first, section("after", **{"path": folder / "b.tif", **keys})], reference)


@pytest.fixture
def rasters(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Three bands of uint16 and one of float32; 0 and NaN have no data."""
    image = scenes.position(40, 50)
    image[:, 3:6, 4:9] = 0
    ground = np.random.default_rng(0).normal(0, 1, (1, 40, 50)).astype("float32")
    ground[0, 20:22, 7:12] = np.nan
    scenes.write(tmp_path / "a.tif", image, nodata=0)
    scenes.write(tmp_path / "b.tif", ground)
    return image, ground


@pytest.mark.usefixtures("rasters")
def test_windows_are_those_of_each_source_and_valid_where_all_are(
    tmp_path: Path, rasters: tuple[np.ndarray, np.ndarray]
) -> None:
    image, ground = rasters
    opened = pickle.loads(pickle.dumps(both(tmp_path)))  # as it travels to a worker
    assert (opened.bands, opened.dtype, opened.grid.height) == (4, np.float32, 40)
    valid = (image != 0).any(0) & np.isfinite(ground[0])
    for window in (Window(row=0, col=0, height=40, width=50), Window(row=2, col=3, height=25, width=9)):
        got, (rows, cols) = opened.read(window), window.slices
        assert (got.valid == valid[rows, cols]).all()
        stacked = np.concatenate([image.astype("float32"), ground])[:, rows, cols]
        assert (got.data[:, got.valid] == stacked[:, got.valid]).all()
        assert {CAUSES[code] for code in np.unique(got.causes)} == {"", "nodata", "NaN or infinity"}
    edge = opened.read(Window(row=38, col=-2, height=4, width=4))
    assert edge.valid.sum() == 4


@pytest.mark.usefixtures("rasters")
def test_an_identity_and_notes_name_the_inputs(tmp_path: Path) -> None:
    identity = both(tmp_path).identity()
    assert identity["inputs"] == ["before", "after"]
    assert identity["inputs.after.path"] == str(tmp_path / "b.tif")
    assert both(tmp_path).notes[1] == f"the input after is {tmp_path / 'b.tif'}, 1 band of float32"


@pytest.mark.usefixtures("rasters")
def test_a_reference_gives_the_grid_and_no_band(tmp_path: Path) -> None:
    scenes.write(tmp_path / "c.tif", np.ones((2, 40, 50), "int16"))
    opened = both(tmp_path, SourceConfig(path=str(tmp_path / "c.tif")))
    assert opened.bands == 4
    assert opened.notes[2] == f"source is {tmp_path / 'c.tif'}, which gives the grid and of which no band is read"
    assert not any("c.tif" in str(value) for value in opened.identity().values())


@pytest.mark.usefixtures("rasters")
def test_all_sources_have_one_patience(tmp_path: Path) -> None:
    entries = [section("before", path=tmp_path / "a.tif"), section("after", path=tmp_path / "b.tif")]
    opened = open_inputs(entries, None, timeout=20.0)
    assert isinstance(opened, TimeoutSource)
    assert opened.description == f"{tmp_path / 'a.tif'}, {tmp_path / 'b.tif'}"


@pytest.mark.parametrize(
    ("profile", "size", "words"),
    [
        (
            {"transform": from_origin(500_000, 4_600_000, 20, 20)},
            (20, 25),
            r"inputs\.after \(\S+c\.tif\) lies on another grid than model\.inputs\.before \(\S+a\.tif\): its "
            r"pixels are 20 × 20, not 10 × 10; .*Bring it there with model\.inputs\.after\.grid: \{like: \S+a\.tif\}",
        ),
        ({"crs": "EPSG:32632"}, (40, 50), r"its CRS is EPSG:32632, not EPSG:32633\. Bring it there"),
        (PLAIN, (40, 50), r"its CRS is unknown.*model\.inputs\.after has no CRS by which it could be brought"),
    ],
)
@pytest.mark.usefixtures("rasters")
def test_another_grid_is_refused_with_what_differs_and_what_to_do(
    tmp_path: Path, profile: dict[str, Any], size: tuple[int, int], words: str
) -> None:
    scenes.write(tmp_path / "c.tif", np.ones((1, *size), "uint8"), **profile)
    with pytest.raises(SourceError, match=words):
        both(tmp_path, path=tmp_path / "c.tif")


@pytest.mark.usefixtures("rasters")
def test_an_input_with_a_grid_is_brought_there(tmp_path: Path) -> None:
    coarse = np.full((1, 20, 25), 7, "uint8")
    scenes.write(tmp_path / "c.tif", coarse, transform=from_origin(500_000, 4_600_000, 20, 20))
    opened = both(tmp_path, path=tmp_path / "c.tif", grid={"like": str(tmp_path / "a.tif")}, resampling="nearest")
    assert (opened.read(Window(row=0, col=0, height=40, width=50)).data[3] == 7).all()
    assert opened.identity()["inputs.after.warp"]["resampling"] == "nearest"


@pytest.mark.parametrize(("rows", "words"), [(40, ""), (39, "it has 39 × 50 px, not 40 × 50. Neither has a CRS")])
def test_without_a_georeference_sizes_alone_must_agree(tmp_path: Path, rows: int, words: str) -> None:
    for name, height in (("a", 40), ("b", rows)):
        scenes.write(tmp_path / f"{name}.tif", np.ones((1, height, 50), "uint8"), **PLAIN)
    if not words:
        assert both(tmp_path).bands == 2
        return
    with pytest.raises(SourceError, match=words):
        both(tmp_path)


@pytest.mark.usefixtures("rasters")
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"bands": [9]}, r"model\.inputs\.after\.bands asks for band 9"),
        ({"path": "gone.tif"}, r"model\.inputs\.after\.path is gone\.tif, which does not exist"),
        (
            {"path": "long.tif"},
            r"model\.inputs\.before holds uint16|model\.inputs\.after holds int64, and other inputs",
        ),
    ],
)
def test_what_is_wrong_with_a_source_names_its_input(
    tmp_path: Path, keys: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scenes.write(tmp_path / "long.tif", np.ones((1, 40, 50), "int64"))
    scenes.write(tmp_path / "a.tif", np.ones((3, 40, 50), "float32"))
    with pytest.raises(SourceError, match=words):
        both(tmp_path, **keys)
