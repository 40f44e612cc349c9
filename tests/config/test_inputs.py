"""``model.inputs``: a source for each input, and what of them stands in ``source``."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import Config, SourceConfig
from pipeline.config.load import config_of, load_config, schema
from pipeline.errors import ConfigError

JOB: dict[str, Any] = {
    "model": {
        "kind": "onnx",
        "path": "pair.onnx",
        "inputs": {
            "before": {"path": "a.tif", "bands": [1, 2], "aoi": "field.gpkg"},
            "after": {"kind": "bands", "path": {"red": "r.tif"}, "grid": {"like": "a.tif"}, "input": {"scale": 2}},
        },
    },
    "output": {"path": "out.zarr"},
}


def job(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(JOB), **sections}


def with_after(**keys: Any) -> dict[str, Any]:
    document = job()
    document["model"]["inputs"]["after"] |= keys
    return document


def test_without_a_source_the_first_input_is_the_reference_and_no_source_is_written_again() -> None:
    config = config_of(job())
    assert type(config.source) is SourceConfig
    assert (config.source.bands, Path(config.source.aoi or "").name) == ([1, 2], "field.gpkg")
    written = config.model_dump(mode="json", exclude_unset=True)
    assert "source" not in written
    assert Config.model_validate(written) == config
    whole = Config.model_validate(config.model_dump(mode="json"))
    assert (whole.source, whole.model.inputs) == (config.source, config.model.inputs)


def test_a_source_beside_inputs_stays_as_it_is() -> None:
    assert config_of(job(source={"path": "grid.tif", "aoi": str(Path("field.gpkg").resolve())})).source.bands is None


def test_paths_of_inputs_are_relative_as_those_of_source(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job(), sort_keys=False))
    inputs = load_config(tmp_path / "job.yaml", ["model.inputs.before.path=b.tif"]).model.inputs
    assert inputs["before"].path == str(Path("b.tif").resolve())
    assert inputs["before"].aoi == str(tmp_path / "field.gpkg")
    assert inputs["after"].path == {"red": str(tmp_path / "r.tif")}
    assert inputs["after"].grid is not None
    assert inputs["after"].grid.like == str(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (with_after(kindd=1), r"model\.inputs\.after\.kindd is not a key of the config \(did you mean kind\?\)"),
        (with_after(kind="raste"), r"model\.inputs\.after\.kind is 'raste'.*did you mean raster"),
        (
            with_after(grid=None, resampling="cubic", kind="raster", path="a.tif"),
            r"give model\.inputs\.after\.grid, or",
        ),
        (with_after(aoi="x.gpkg"), r": model\.inputs\.after\.aoi would limit one input alone; write aoi in source"),
        (with_after(input={"transform": "a.py:f"}), r"after\.input is \{.*transform is not applied to one of several"),
        (with_after(input={"size": 256}), r"write it as model\.input\.size"),
        (with_after(input={"mean": "x"}), r"model\.inputs\.after\.input\.mean is 'x'"),
        ({"output": {"path": "o.zarr"}, "model": {"inputs": {}}}, r": source is missing\.$"),
        (
            {"output": {"path": "o.zarr"}, "model": {"inputs": {"a": {"bands": [1]}}}},
            r": model\.inputs\.a\.path is miss",
        ),
    ],
)
def test_what_is_wrong_with_an_input_names_its_key_once(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        config_of(document)
    assert " source." not in str(raised.value)


def test_a_transform_of_one_image_is_refused_beside_inputs() -> None:
    document = job()
    document["model"]["input"] = {"transform": "a.py:f"}
    with pytest.raises(ConfigError, match=r"model: input\.transform is of networks of one input"):
        config_of(document)


def test_inputs_are_of_one_network() -> None:
    document = job()
    document["model"]["path"] = ["a.onnx", "b.onnx"]
    with pytest.raises(ConfigError, match=r"names inputs of one network, and model\.path lists several"):
        config_of(document)


def test_the_schema_asks_for_no_source() -> None:
    assert schema()["required"] == ["model", "output"]
