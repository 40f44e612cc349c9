"""What an MLM description is told from, and what makes none."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import ModelError
from pipeline.models.descriptions import read_description
from pipeline.models.descriptions.mlm import read_mlm
from tests.models.descriptions.mlm import described
from tests.models.descriptions.mlm.described import item, properties


@pytest.mark.parametrize(
    "document",
    [
        {"properties": properties(), "$schema": "https://stac-extensions.github.io/mlm/v1.6.0/schema.json"},
        properties(),
        {"properties": {f"mlm:{key}": value for key, value in properties().items()}},
        json.dumps({"properties": properties()}),
    ],
)
def test_metadata_of_an_archive_is_read_in_each_form_that_tools_write(document: Any, tmp_path: Path) -> None:
    model = read_mlm(described.archive(tmp_path / "net.pt2", document))
    assert model is not None
    assert (model.bands, model.band_names) == (3, ("red", "green", "nir"))
    assert model.model.version == ("1.6" if isinstance(document, dict) and "$schema" in document else "")
    assert [part.colour for part in model.model.properties.output[0].classes] == ["#a6611a", "#018571"]


PACKAGED = """\
$schema: https://stac-extensions.github.io/mlm/v1.6.0/schema.json
properties:
  accelerator: null
  architecture: Unet
  name: fields
  input:
  - bands: [red, {name: nir}]
    input: {data_type: float32, dim_order: [batch, channel, height, width], shape: [-1, 2, -1, -1]}
    name: scene
    value_scaling: [{type: scale, value: 3000}, null]
    variables: []
  output:
  - classification:classes:
    - {color_hint: 018571, description: a, name: a, value: 0}
    name: scores
    post_processing_function: null
    result: {data_type: float32, dim_order: [batch, classes, height, width], shape: [-1, 1, -1, -1]}
    tasks: !!set {semantic-segmentation: null}
  pretrained: true
  tasks: !!set
    semantic-segmentation: null
"""


def test_metadata_as_stac_model_packages_it_has_sets_and_colours_that_look_like_numbers(tmp_path: Path) -> None:
    model = read_mlm(described.archive(tmp_path / "net.pt2", PACKAGED))
    assert model is not None
    assert model.model.properties.tasks == model.model.properties.output[0].tasks == ("semantic-segmentation",)
    assert model.model.properties.output[0].classes[0].colour == "#018571"


def test_the_pixel_size_is_that_of_the_bands_of_the_network_where_they_agree(tmp_path: Path) -> None:
    path = item(tmp_path / "a")
    model = read_mlm(path)
    assert model is not None
    assert model.pixel_size == 10
    document = json.loads(path.read_text())
    document["properties"]["bands"] += [{"name": "swir", "gsd": 20}]
    path.write_text(json.dumps(document))
    assert read_mlm(path).pixel_size == 10
    document["properties"]["bands"][0] = {"name": "other", "eo:common_name": "red", "gsd": 20}
    path.write_text(json.dumps(document))
    assert read_mlm(path).pixel_size is None


def test_what_is_no_description_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["A"]}')
    assert read_description(tmp_path / "config.json") is None
    described.weights_file(tmp_path / "plain.pt2", "exported")
    assert read_description(tmp_path / "plain.pt2") is None
    assert read_description(tmp_path) is None


ITEM = {"type": "Feature", "stac_version": "1.0.0", "properties": {f"mlm:{k}": v for k, v in properties().items()}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({**ITEM, "type": "Collection"}, "of type Collection; a model is described by an item"),
        (
            {"type": "Feature", "stac_version": "1.0.0", "properties": {"eo:cloud_cover": 3}},
            "without the fields of the MLM",
        ),
        (
            {**ITEM, "stac_extensions": ["https://stac-extensions.github.io/mlm/v2.0.0/schema.json"]},
            "version 2.0 .* 1.x are read",
        ),
        ({**ITEM, "properties": {"mlm:name": "x"}}, r"no description that can be used: input: Field required \(1 more"),
        ({**ITEM, "assets": {"model": {"roles": ["mlm:model"]}}}, "model.href: Field required"),
        ({**ITEM, "padding": "x" * 2**18}, "a description may have 262,144"),
    ],
    ids=["collection", "scene", "version", "inputs", "href", "long"],
)
def test_what_is_wrong_with_an_item_is_told_in_one_paragraph(document: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match=reason) as error:
        read_mlm(tmp_path / "a.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"stac_version": 1, "a": ' + "[" * 50_000 + "]" * 50_000 + "}", "nests more than 40"),
        ('{"mlm:input": NaN}', "NaN is no number of JSON"),
        ('{"mlm:input": [', "is not valid JSON"),
    ],
    ids=["deep", "nan", "cut"],
)
def test_json_that_is_broken_or_built_to_harm_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ModelError, match=reason):
        read_mlm(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("a: !!python/object/apply:os.system ['touch planted']", "is not valid YAML"),
        ("properties: [1]", "no section properties"),
        ("name: x\n" + "#" * 2**18, "262,144"),
    ],
    ids=["tag", "list", "long"],
)
def test_metadata_that_is_none_is_refused_and_its_tags_make_nothing(
    metadata: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=reason):
        read_mlm(described.archive(tmp_path / "net.pt2", metadata))
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]


def test_an_archive_with_a_path_that_climbs_out_is_refused(tmp_path: Path) -> None:
    path = described.archive(tmp_path / "net.pt2")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("net/../../planted", "x")
    with pytest.raises(ModelError, match="climbs out of its folder"):
        read_mlm(path)


def axes(*sizes: int, names: str = "batch channel height width") -> dict[str, Any]:
    return {"input": {"shape": list(sizes), "dim_order": names.split()}}


def classes(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"classification:classes": list(rows)}


@pytest.mark.parametrize(
    ("image", "answer", "reason"),
    [
        ({"bands": ["red", "nir"]}, {}, "contradicts itself: the input scene lists 2 bands .* and its shape .* has 3"),
        (axes(-1, 3, 8, 8, names="batch channel height"), {}, "shape has 4 sizes, and dim_order names 3"),
        (axes(-1, 0, 8, 8), {}, "neither above 0 nor -1"),
        (axes(-1, 8, 8, 3, names="batch height width channel"), {}, "byxc.*bands last"),
        (axes(-1, 3, 2, 8, 8, names="batch channel time height width"), {}, "neither batch, bands"),
        (axes(-1, 3, 4, 8, 8, names="batch channel depth height width"), {}, "three dimensions"),
        (axes(-1, 3, 8, 9), {}, "8 rows and 9 cols"),
        ({}, classes({"value": 1, "name": "a"}, {"value": 1, "name": "b"}), "two classes have the value 1"),
        ({}, classes({"value": -1, "name": "a"}), "greater than or equal to 0"),
        ({}, classes({"value": 0, "name": "a", "color_hint": "red"}), "color_hint"),
    ],
)
def test_statements_that_contradict_each_other_are_one_paragraph(
    image: Any, answer: Any, reason: str, tmp_path: Path
) -> None:
    document = {"properties": properties(image=image, answer=answer)}
    with pytest.raises(ModelError, match=reason) as error:
        read_mlm(described.archive(tmp_path / "net.pt2", document)).bands  # noqa: B018
    assert "\n" not in str(error.value)


def test_several_inputs_are_named(tmp_path: Path) -> None:
    stated = properties()
    document = {**stated, "input": [stated["input"][0], {**stated["input"][0], "name": "radar"}]}
    with pytest.raises(ModelError, match=r"a network of 2 inputs \(scene, radar\)"):
        read_mlm(described.archive(tmp_path / "net.pt2", yaml.safe_dump(document))).bands  # noqa: B018
