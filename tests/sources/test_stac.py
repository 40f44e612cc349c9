"""Items of a catalogue as scenes: which bands, what their numbers mean, and what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests import runs, scenes
from tests.sources import catalogue

pytest.importorskip("pystac_client")
OFFSET = {"scale": 1e-4, "offset": -0.1}
BASELINE = {"s2:processing_baseline": "05.09"}
APPLIED = "earthsearch:boa_offset_applied"


def source(path: Any, **more: Any) -> Any:
    return open_source(SourceConfig(kind="stac", path=str(path), **{"bands": ["red", "green", "nir"], **more}))


def read(opened: Any) -> np.ndarray:
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width)).data


def changed(path: Path, **assets: Any) -> Path:
    """The item with other values in one asset, or in all."""
    document = json.loads(path.read_text())
    for key, values in assets.items():
        for name, asset in document["assets"].items():
            if key in (name, "every"):
                asset.update(values)
    return catalogue.write(path, document)


@pytest.fixture
def item(tmp_path: Path) -> Path:
    return catalogue.scene(tmp_path)


@pytest.mark.slow
def test_a_run_of_an_item_is_that_of_the_same_scene_in_one_file_byte_for_byte(tmp_path: Path, item: Path) -> None:
    runs.go(scenes.config(tmp_path, "one"))
    given = {"kind": "stac", "path": str(item), "assets": ["red", "green", "nir"]}
    runs.go(scenes.config(tmp_path, "many", source=given))
    one, many = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "zarr.json"}
        for root in (tmp_path / "one.zarr", tmp_path / "many.zarr")
    )
    assert many == one


def test_bands_go_by_key_and_by_common_name_in_the_order_asked_for(item: Path) -> None:
    changed(item, nir={"eo:bands": [{"name": "B08", "common_name": "nir08"}]})
    whole = scenes.read(item.parent / "scene.tif")
    for names in (["nir08", "red"], ["B08", "RED"], ["nir", "red"]):
        assert (read(source(item, bands=names)) == whole[[2, 0]]).all()
    opened = source(item, bands=None, assets=["nir08", "green"])
    assert (read(pickle.loads(pickle.dumps(opened))) == whole[[2, 1]]).all()


def test_bands_of_one_asset_go_by_name_and_a_block_of_it_is_decoded_once(item: Path) -> None:
    names = [{"name": name, "eo:common_name": name, "nodata": 0} for name in ("red", "green", "nir")]
    assets = {"image": {"href": "scene.tif", "bands": names, "roles": ["data"]}}
    catalogue.write(item, {**catalogue.item(assets), "stac_version": "1.1.0"})
    whole = scenes.read(item.parent / "scene.tif")
    opened = source(item, bands=None, assets=["image"])
    assert (read(opened) == whole).all()
    assert len({id(band.source.dataset) for band in opened.parts}) == 1
    other = source(item, bands=["nir", "red"])
    assert (read(other) == whole[[2, 0]]).all()
    assert other.identity()["indexes"] == [3, 1]


def test_a_file_of_one_band_is_meant_before_a_picture_of_several(item: Path) -> None:
    picture = {"href": "scene.tif", "roles": ["visual"], "eo:bands": [{"name": "x", "common_name": "red"}] * 3}
    document = json.loads(item.read_text())
    document["assets"] = {"visual": picture, "B04": document["assets"]["red"]}
    catalogue.write(item, document)
    assert (read(source(item, bands=["red"])) == scenes.read(item.parent / "red.tif")).all()
    document["assets"]["B04-copy"] = document["assets"]["B04"]
    with pytest.raises(SourceError, match=r"several: B04:RED, B04-copy:RED.*source.assets"):
        source(catalogue.write(item, document), bands=["red"])
    assert source(item, bands=["red"], assets=["B04-copy"]).bands == 1


def test_what_is_not_there_is_named_with_what_is(item: Path) -> None:
    with pytest.raises(SourceError, match=r"asks for swir16.*It has red \(red\), green \(green\), nir \(nir\)"):
        source(item, bands=["swir16"])
    with pytest.raises(SourceError, match=r"neither source.assets nor source.bands"):
        source(item, bands=None)
    with pytest.raises(SourceError, match=r"no item of STAC"):
        source(catalogue.write(item, {"type": "FeatureCollection", "features": []}))
    (item.parent / "green.tif").unlink()
    with pytest.raises(SourceError, match=r"no JSON"):
        source(item.with_name("scene.tif"))
    catalogue.write(item, catalogue.item({"green": catalogue.asset("green.tif", "green")}))
    with pytest.raises(SourceError, match=r"The asset green of item scene of tests.*green.tif.*does not exist"):
        source(item, bands=["green"])


def test_quality_bands_of_an_item_say_which_pixels_count(item: Path) -> None:
    classes = np.full((1, 150, 210), 4, np.uint8)
    classes[0, :50] = 9
    scenes.write(item.parent / "scl.tif", classes, transform=scenes.from_origin(500_000, 4_600_000, 20, 20))
    document = json.loads(item.read_text())
    document["assets"]["scl"] = {"href": "scl.tif", "roles": ["data"]}
    opened = source(catalogue.write(item, document), valid={"scl": {"not": ["cloud_high"]}})
    valid = opened.read(Window(row=0, col=0, height=300, width=420)).valid
    assert not valid[:100].any()
    assert (valid[100:] == (scenes.read(item.parent / "scene.tif")[:, 100:] != 0).any(0)).all()


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"proj:shape": [300, 400]}, r"asset nir.*proj:shape is \[300, 400\], and the file has \[300, 420\]"),
        ({"proj:transform": [10, 0, 500_001, 0, -10, 4_600_000]}, r"proj:transform"),
        ({"proj:epsg": 32632}, r"proj:code is EPSG:32632, and the file has EPSG:32633"),
        ({"raster:bands": [{"data_type": "int16"}]}, r"data_type is int16.*has uint16.*source.radiometry"),
        ({"raster:bands": [{"nodata": 9}]}, r"nodata is 9, and the file has 0.*source.nodata"),
    ],
)
def test_an_item_that_contradicts_a_file_is_refused(item: Path, claim: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source(changed(item, nir=claim))


def test_what_the_config_says_of_numbers_settles_a_contradiction(item: Path) -> None:
    changed(item, nir={"raster:bands": [{"data_type": "int16", "nodata": 9}]})
    assert source(item, radiometry="raw", nodata=0).bands == 3


def test_digits_that_a_program_rounded_contradict_nothing(item: Path) -> None:
    claim = {"proj:transform": [10.0, 0.0, 500_000.0001, 0.0, -10.0, 4_600_000, 0, 0, 1], "proj:epsg": None}
    assert source(changed(item, every=claim)).bands == 3


def test_offsets_of_the_files_own_tags_must_be_those_of_the_item(item: Path) -> None:
    changed(item, every={"raster:bands": [{"nodata": 0, **OFFSET}]})
    with scenes.rasterio.open(item.parent / "nir.tif", "r+") as file:
        file.scales, file.offsets = (1e-4,), (0.0,)
    with pytest.raises(SourceError, match=r"nir.*scale and offset are 0.0001 and -0.1, and the file has 0.0001 and 0"):
        source(item)
    expected = scenes.read(item.parent / "scene.tif") * 1e-4 - 0.1
    assert np.allclose(read(source(item, radiometry="reflectance")), expected, atol=1e-7)


@pytest.mark.parametrize(("applied", "shift"), [(True, 0), (False, -1000), (None, -1000)])
def test_what_earth_search_says_of_the_offset_wins_over_the_offset_of_bands(
    item: Path, applied: bool | None, shift: int
) -> None:
    document = json.loads(changed(item, every={"raster:bands": [{"nodata": 0, **OFFSET}]}).read_text())
    document["properties"].update(BASELINE if applied is None else {APPLIED: applied, **BASELINE})
    catalogue.write(item, document)
    raw = scenes.read(item.parent / "scene.tif")
    opened = source(item)
    assert (read(opened) == raw).all()
    assert any(note.startswith("warning: its metadata say raster:offset -1000") for note in opened.notes) == bool(shift)
    harmonised = np.where(raw == 0, 0, np.maximum(raw + shift, 1))
    assert (read(source(item, radiometry="harmonised")) == harmonised).all()
    assert np.allclose(read(source(item, radiometry="reflectance")), (raw + shift) * 1e-4, atol=1e-6)


def test_an_offset_that_is_not_applied_and_not_named_is_refused_unless_the_config_decides(item: Path) -> None:
    document = json.loads(item.read_text())
    document["properties"].update({APPLIED: False, **BASELINE})
    catalogue.write(item, document)
    with pytest.raises(SourceError, match=r"contradicts itself.*05\.09.*source.radiometry"):
        source(item)
    assert source(item, radiometry="raw").bands == 3
    document["properties"].update({"s2:processing_baseline": "03.01"})
    assert source(catalogue.write(item, document)).bands == 3


def test_reflectance_of_a_band_without_scale_is_refused(item: Path) -> None:
    with pytest.raises(SourceError, match=r"radiometry is reflectance.*say nothing for red, green, nir"):
        source(item, radiometry="reflectance")


@pytest.mark.parametrize(
    ("path", "more", "message"),
    [
        (
            "item.json",
            {"as": "scenes"},
            r"source.as is 'scenes': a store for each scene is not made by one command yet",
        ),
        ({"api": "https://a", "collection": ["x"]}, {}, r"source.path.*no search.*collections.*write \{api:"),
        ({"api": "a", "collections": ["x"]}, {}, r"give the URL of a STAC API"),
        ("item.json", {"kind": "raster", "assets": ["red"]}, r"assets is a key of kind: stac"),
    ],
    ids=["scenes", "keys", "api", "kind"],
)
def test_what_a_config_must_not_say_is_explained(tmp_path: Path, path: Any, more: dict[str, Any], message: str) -> None:
    config = scenes.config(tmp_path, source={"kind": "stac", "path": path, **more})
    with pytest.raises(ConfigError, match=message):
        load_config(config)


def test_a_search_keeps_its_times_and_a_signer_its_folder(tmp_path: Path) -> None:
    search = {"api": "https://a/v1/", "collections": ["x"], "datetime": "2024-06-01/2024-06-30"}
    (tmp_path / "sign.py").write_text("def sign(href): return href\n")
    given = {"kind": "stac", "path": search, "bands": ["red"], "sign": "sign.py:sign"}
    loaded = load_config(scenes.config(tmp_path, source=given)).source
    assert loaded.place == "https://a/v1 x, datetime 2024-06-01/2024-06-30"
    assert loaded.sign == f"{tmp_path / 'sign.py'}:sign"
    assert SourceConfig.model_validate(loaded.model_dump(mode="json")) == loaded
