"""Which stores a job may go on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load_config
from pipeline.errors import StoreError
from pipeline.planning import fingerprint
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import networks, scenes

OLD = {"output.min_confidence", "output.probabilities_dtype", "output.probabilities_codes"}
"""Keys that stores of earlier releases lack."""
BACKGROUND = {"name": "background", "role": "background", "code": 9}


@pytest.fixture
def job(tmp_path: Path) -> Any:
    scenes.scene(tmp_path / "scene.tif", 100, 130)
    scenes.script(networks.lively(networks.Twice(classes=4)), tmp_path / "net.pt")
    scenes.script(networks.Twice(classes=1), tmp_path / "one.pt")

    def config(**sections: dict[str, Any]) -> Path:
        return scenes.config(
            tmp_path, **{**sections, "model": {"path": str(tmp_path / "net.pt"), **sections.get("model", {})}}
        )

    return config


def run(path: Path) -> int:
    """How many blocks were there before."""
    with Progress() as progress:
        return execute(prepare_job(load_config(path)), progress).resumed


@pytest.mark.slow
def test_a_store_that_was_made_before_there_were_these_layers_is_gone_on_with(job: Any) -> None:
    path = job(output={"layers": ["mask", "confidence"]})
    run(path)
    root = path.with_suffix(".zarr") / "zarr.json"
    said = json.loads(root.read_text())
    stored = said["attributes"]["wholecloth"]["fingerprint"]
    said["attributes"]["wholecloth"]["fingerprint"] = {key: value for key, value in stored.items() if key not in OLD}
    assert stored.keys() > OLD
    root.write_text(json.dumps(said))
    assert run(path) == 2
    with pytest.raises(StoreError, match=r"output\.min_confidence was 0\.0 and is now 0\.6"):
        run(job(output={"layers": ["mask", "confidence"], "min_confidence": 0.6}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then", "key"),
    [
        ({"output": {"min_confidence": 0.6}}, {}, r"output\.min_confidence was 0\.6 and is now 0\.0"),
        (
            {"output": {"layers": ["mask", "probabilities"]}},
            {"output": {"layers": ["mask", "probabilities"], "probabilities_dtype": "float16"}},
            r"output\.probabilities_dtype was uint8 and is now float16",
        ),
        (
            {"model": {"path": "one.pt", "classes": None, "output": {"threshold": [0.2, 0.4]}}},
            {"model": {"path": "one.pt", "classes": None, "output": {"threshold": [0.2, 0.5]}}},
            r"model\.output\.threshold was \[0\.2, 0\.4\] and is now \[0\.2, 0\.5\]",
        ),
        (
            {
                "model": {"classes": [BACKGROUND, *scenes.CLASSES], "output": {"multilabel": True}},
                "output": {"layers": ["mask", "probabilities"]},
            },
            {
                "model": {
                    "classes": [*[{**row, "code": k} for k, row in enumerate(scenes.CLASSES, 1)], BACKGROUND],
                    "output": {"multilabel": True},
                },
                "output": {"layers": ["mask", "probabilities"]},
            },
            r"output\.probabilities_codes was \[9, 1, 2, 3, 4\] and is now \[1, 2, 3, 4, 9\]",
        ),
    ],
    ids=["min_confidence", "dtype", "thresholds", "order of classes"],
)
def test_what_changes_a_layer_is_named(job: Any, tmp_path: Path, first: Any, then: Any, key: str) -> None:
    for said in (first, then):
        if "path" in said.get("model", {}):
            said["model"]["path"] = str(tmp_path / "one.pt")
    run(job(**first))
    assert run(job(**first)) == 2
    with pytest.raises(StoreError, match=key):
        run(job(**then))


@pytest.mark.slow
def test_a_dtype_of_a_layer_that_is_not_there_changes_nothing(job: Any) -> None:
    run(job())
    assert run(job(output={"probabilities_dtype": "float16"})) == 2


def test_what_a_server_did_not_say_before_is_no_difference_and_what_it_says_otherwise_is() -> None:
    now = {"source.path": "https://h/a.tif", "source.etag": '"2"', "source.size": "9"}
    fingerprint.compare({"source.path": "https://h/a.tif"}, now, Path("a.zarr"))
    fingerprint.compare(
        {"source.path": "https://h/a.tif", "source.etag": '"2"', "source.size": "9"},
        {"source.path": "https://h/a.tif"},
        Path("a.zarr"),
    )
    with pytest.raises(StoreError, match=r"source\.size was 8 and is now 9"):
        fingerprint.compare({**now, "source.size": "8"}, now, Path("a.zarr"))


@pytest.mark.parametrize("key", ["source.path", "source.etag", "source.files", "source.modified"])
def test_of_a_source_that_lies_elsewhere_or_was_written_anew_the_pixels_decide(key: str) -> None:
    now = {
        "source.path": "a.tif",
        "source.etag": '"2"',
        "source.files": "7",
        "source.modified": "now",
        "model.sha256": "1",
    }
    assert not fingerprint.compare(now, now, Path("a.zarr"))
    assert fingerprint.compare({**now, key: "then"}, now, Path("a.zarr"))
    with pytest.raises(StoreError, match=r"model\.sha256 was 1 and is now 2"):
        fingerprint.compare({**now, key: "then"}, {**now, "model.sha256": "2"}, Path("a.zarr"))


def test_a_store_that_kept_a_signature_is_still_known_and_its_signature_not_told() -> None:
    signed = {"source.path": "https://h/a.tif?sig=tellNobody", "model.sha256": "1"}
    assert not fingerprint.compare(signed, {"source.path": "https://h/a.tif"}, Path("a.zarr"))
    with pytest.raises(StoreError, match=r"source\.path was https://h/a\.tif and is now https://h/b\.tif") as told:
        fingerprint.compare(signed, {"source.path": "https://h/b.tif", "model.sha256": "2"}, Path("a.zarr"))
    assert "tellNobody" not in str(told.value)


def test_a_store_that_counted_pixels_is_gone_on_with_where_more_is_known_of_the_place_now() -> None:
    pixels = {"height": 30, "width": 40, "transform": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], "crs": None, "unit": "px"}
    slide = {**pixels, "transform": [0.5, 0.0, 0.0, 0.0, 0.5, 0.0], "unit": "um"}
    assert fingerprint.same("source.grid", pixels, slide)
    assert not fingerprint.same("source.grid", slide, pixels)
    assert not fingerprint.same("source.grid", pixels, {**slide, "height": 31})
    assert not fingerprint.same("source.grid", pixels, {**slide, "crs": "EPSG:4326"})
    assert not fingerprint.same("tile.size", 1, 2)


def test_a_store_that_counted_from_its_corner_is_gone_on_with_where_an_origin_is_known_now() -> None:
    now = {"height": 3, "width": 4, "transform": [0.5, 0, 2.5, 0, 0.5, 1.5], "crs": None, "unit": "um"}
    then = {**now, "transform": [0.5, 0, 0, 0, 0.5, 0]}
    assert fingerprint.same("source.grid", then, now)
    assert not fingerprint.same("source.grid", now, then)
    assert not fingerprint.same("source.grid", {**then, "transform": [0.25, 0, 0, 0, 0.25, 0]}, now)
    assert not fingerprint.same("source.grid", {**then, "unit": "px"}, now)
    assert fingerprint.differing({}, {"source.level_0_px": [2, 2, 0, 0]}) == []
    place = "source.level_0_px"
    assert fingerprint.differing({place: [2, 2, 0, 0]}, {place: [4, 4, 0, 0]}) == [place]


def test_a_store_of_before_there_was_padding_was_not_padded() -> None:
    assert fingerprint.differing({}, {"tile.pad": "none"}) == []
    assert fingerprint.differing({}, {"tile.pad": "reflect"}) == ["tile.pad"]
    assert fingerprint.differing({"tile.pad": "reflect"}, {"tile.pad": "constant"}) == ["tile.pad"]


def test_a_source_of_the_package_that_an_earlier_release_noted_as_read_is_no_difference_and_a_file_of_the_user_is() -> (
    None
):
    code = {"pipeline.networks.classifiers": "revision 1", "nets": "1"}
    now = {"model.code": code, "model.reads": {}}
    assert fingerprint.differing({"model.code": code, "model.reads": {"classifiers.py": "1"}}, now) == []
    assert fingerprint.differing({"model.code": code, "model.reads": {"classifiers.py": "1", "nets.py": "1"}}, now) == [
        "model.reads"
    ]
