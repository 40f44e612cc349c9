"""What an MLM description states is told in keys of a config, and what is not done is an error that names it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions import read_description
from pipeline.models.descriptions.description import Statement
from pipeline.models.native import build_native
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.described import with_description
from tests.models.descriptions.mlm import described
from tests.models.descriptions.mlm.described import asset, item, properties


def stated(path: Path, **model: Any) -> Statement:
    description = read_description(path)
    assert description is not None
    return description.state(ModelConfig.model_validate({"path": path, **model}))


def archive(folder: Path, **changes: Any) -> Path:
    return described.archive(folder / "net.pt2", {"properties": properties(**changes)})


def classes(*rows: dict[str, Any], channels: int = 3) -> dict[str, Any]:
    axes = {"shape": [-1, channels, -1, -1], "dim_order": ["batch", "channel", "height", "width"]}
    return {"classification:classes": list(rows), "result": axes}


TREE, SOIL = {"name": "tree", "color_hint": "00ff00"}, {"title": "soil"}
GREEN = "#00ff00"


@pytest.mark.parametrize(
    ("rows", "channels", "expected"),
    [
        ([{"value": 1, **TREE}, {"value": 0, **SOIL}], 2, [("soil", None, None), ("tree", None, GREEN)]),
        ([{"value": 20, **TREE}, {"value": 10, **SOIL}], 2, [("tree", 20, GREEN), ("soil", 10, None)]),
        ([{"value": 0, **SOIL}, {"value": 1, **TREE}], 1, [("soil", None, None), ("tree", None, GREEN)]),
        ([{"value": 7, **TREE}], 1, [("background", 0, None), ("tree", 7, GREEN)]),
        ([{"value": 0, "description": "all"}], 1, [("background", 0, None), ("all", 1, None)]),
    ],
)
def test_classes_are_in_the_order_of_the_channels(
    rows: list[Any], channels: int, expected: list[Any], tmp_path: Path
) -> None:
    made = stated(archive(tmp_path, answer=classes(*rows, channels=channels))).classes
    assert [(row.name, row.code, row.color) for row in made] == expected


def test_a_class_of_no_data_is_not_judged(tmp_path: Path) -> None:
    rows = [{"value": 0, "name": "none", "nodata": True}, {"value": 1, **TREE}]
    assert [row.role for row in stated(archive(tmp_path, answer=classes(*rows, channels=2))).classes] == [
        "ignore",
        None,
    ]


def test_classes_that_do_not_fit_the_channels_are_a_contradiction_unless_the_config_lists_its_own(
    tmp_path: Path,
) -> None:
    path = archive(tmp_path, answer=classes({"value": 0, **SOIL}, {"value": 1, **TREE}))
    with pytest.raises(ModelError, match=r"lists 2 classes \(soil, tree\), .*means 3"):
        stated(path)
    assert stated(path, classes=[{"name": "a"}, {"name": "b"}, {"name": "c"}]).classes == ()


def test_where_several_classes_may_hold_a_background_of_a_free_code_is_added(tmp_path: Path) -> None:
    path = archive(tmp_path, answer=classes({"value": 0, **SOIL}, {"value": 2, **TREE}, channels=2))
    model = with_description(ModelConfig.model_validate({"path": path, "output": {"multilabel": True}}))
    assert model.classes is not None
    assert [(row.name, row.code) for row in model.classes] == [("soil", 0), ("tree", 2), ("background", 3)]


def image(**changes: Any) -> dict[str, Any]:
    return {"image": {"value_scaling": None, **changes}}


def test_sizes_bands_and_hints_are_told(tmp_path: Path) -> None:
    axes = {"shape": [1, 3, 64, 64], "dim_order": ["batch", "bands", "rows", "cols"], "data_type": "uint16"}
    made = stated(archive(tmp_path, **image(input=axes, resize_type="pad")))
    assert made.input == {"size": 64}
    assert made.hints == (
        "bands of the training, in order: red, green, nir",
        "its input is stated to be uint16; networks are given float32",
        "images of other sizes were changed there (pad); a raster is tiled",
    )
    assert stated(tmp_path / "net.pt2", input={"size": 128}).input == {}


SOFTMAX = {"post_processing_function": {"format": "python", "expression": "torch.nn.functional:softmax"}}
SEVERAL = {"activation": "sigmoid", "multilabel": True}
TAKEN = [
    ({"post_processing_function": None}, {}),
    (SOFTMAX, {"activation": "softmax"}),
    ({"post_processing_function": [{"format": "python", "expression": "torch.nn.Sigmoid"}]}, SEVERAL),
    ({"post_processing_function": {"format": "python", "expression": "torch.argmax"}}, {}),
]


@pytest.mark.parametrize(("answer", "expected"), TAKEN)
def test_functions_after_the_network_are_known_by_their_names(answer: Any, expected: Any, tmp_path: Path) -> None:
    assert stated(archive(tmp_path, answer=answer)).output == expected
    assert stated(tmp_path / "net.pt2", output={"activation": "none"}).output == {}


PYTHON = {"format": "python", "expression": "my.module:function"}


def result(*names: str) -> dict[str, Any]:
    return {"answer": {"result": {"shape": [2] * len(names), "dim_order": names}}}


NAMED = {"output": {"key": "0"}}


@pytest.mark.parametrize(
    ("changes", "override", "reason"),
    [
        (image(pre_processing_function=PYTHON), {"input": {"scale": 2}}, r"my\.module:function \(python\) is code"),
        (image(value_scaling=[{"type": "clip-min"}]), {"input": {"mean": 1}}, "clip-min is not done here"),
        (image(resize_type="interpolation-cubic"), {"input": {"size": 64}}, r"resized before the network .*size: 256"),
        ({"answer": {"post_processing_function": PYTHON}}, {"output": {"activation": "none"}}, "after the network, po"),
        ({"answer": {"tasks": ["object-detection"]}}, NAMED, "a network for object-detection, and maps"),
        (result("batch", "classes"), NAMED, "one answer for a whole image"),
        (result("batch", "height", "width"), NAMED, "without the argmax"),
        (result("batch", "height", "width", "channel"), NAMED, "bands last"),
    ],
)
def test_what_is_asked_for_and_not_done_is_named_and_the_config_takes_its_place(
    changes: Any, override: Any, reason: str, tmp_path: Path
) -> None:
    path = archive(tmp_path, **changes)
    with pytest.raises(ModelError, match=reason) as error:
        stated(path)
    assert "\n" not in str(error.value)
    stated(path, **override)


def test_a_computed_band_needs_a_transform_of_the_user(tmp_path: Path) -> None:
    ndvi = {"name": "ndvi", "format": "rio-calc", "expression": "(nir - red) / (nir + red)"}
    path = archive(tmp_path, image={"bands": ["red", "nir", ndvi]})
    with pytest.raises(ModelError, match=r"the band ndvi is computed as \(nir - red\)"):
        stated(path)
    made = stated(path, input={"transform": "bands.py:with_ndvi"})
    assert made.input["mean"] == [400.0, 500.0, 600.0]


def test_variables_are_channels_where_there_are_no_bands(tmp_path: Path) -> None:
    path = archive(tmp_path, image={"bands": [], "variables": ["rain", "wind", {"name": "sun"}]})
    assert read_description(path).band_names == ("rain", "wind", "sun")


def test_numbers_of_each_pixel_have_no_classes(tmp_path: Path) -> None:
    made = stated(
        archive(tmp_path, tasks=["regression"], answer={"tasks": ["regression"], "classification:classes": []})
    )
    assert (made.classes, made.channels) == ((), 2)
    assert made.hints[-1].startswith("it returns numbers of each pixel and no classes")


def test_the_output_with_scores_is_found_among_several(tmp_path: Path) -> None:
    boxes = {
        "name": "boxes",
        "tasks": ["object-detection"],
        "result": {"shape": [-1, 4], "dim_order": ["box", "corner"]},
    }
    document = properties()
    path = described.archive(tmp_path / "net.pt2", {**document, "output": [boxes, *document["output"]]})
    assert stated(path).output == {"key": "1"}


class Normalise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - torch.tensor([400.0, 500.0, 600.0])[:, None, None]) / 3000


class Logarithm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.abs() + 1).log()


class Resize(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, size=(40, 40), mode="bilinear", antialias=True) / 3000


PROGRAM = {"pre_processing_function": {"format": "pt2-exported-program", "expression": "transforms"}}


def with_transforms(folder: Path, network: nn.Module, **changes: Any) -> Path:
    return described.archive(folder / "net.pt2", {"properties": properties(**image(**changes))}, transforms=network)


def test_a_program_before_the_network_is_told_in_keys(tmp_path: Path) -> None:
    made = stated(with_transforms(tmp_path, Normalise(), **PROGRAM))
    assert made.input == {"mean": [400.0, 500.0, 600.0], "std": 3000.0}
    assert made.hints[0].startswith("the program transforms of the archive is not run on tiles")
    assert stated(tmp_path / "net.pt2", input={"scale": 0.5, "mean": 2}).input == {"std": 3000.0}


def test_a_program_that_resizes_is_told_at_the_size_that_it_leaves_alone(tmp_path: Path) -> None:
    assert stated(with_transforms(tmp_path, Resize())).input == {"std": 3000.0, "size": 40}


def test_a_program_that_differs_from_the_scaling_or_does_more_is_refused(tmp_path: Path) -> None:
    same = [{"type": "z-score", "mean": mean, "stddev": 3000} for mean in (400, 500, 600)]
    assert "mean" in stated(with_transforms(tmp_path, Normalise(), value_scaling=same)).input
    with pytest.raises(ModelError, match="differ, and only one of them can be meant"):
        stated(with_transforms(tmp_path, Normalise(), value_scaling=[{"type": "scale", "value": 3000}]))
    with pytest.raises(ModelError, match="does more to a band than a multiple and a constant"):
        stated(with_transforms(tmp_path, Logarithm()))
    assert stated(tmp_path / "net.pt2", input={"scale": 2}).input == {}


def test_files_of_an_item_are_chosen_by_what_executes_least(tmp_path: Path) -> None:
    path = item(tmp_path / "a", ("torchscript", "exported", "onnx"))
    made = stated(path)
    assert made.kind == "onnx"
    assert made.weights.endswith("whose SHA-256 is not stated; model.kind: torchscript or exported takes others")
    assert read_description(path).weights_file(ModelConfig(path=path, kind="torchscript")).name == "weights.pt"
    with pytest.raises(ModelError, match=r"model\.kind is smp, for which .* has no file"):
        stated(path, kind="smp")


def test_a_stated_digest_is_compared(tmp_path: Path) -> None:
    path = item(tmp_path / "a")
    file = tmp_path / "a" / "weights.pt"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    item(tmp_path / "a", assets={"model": asset("torchscript", **{"file:checksum": f"1220{digest}"})})
    assert "is the stated one" in stated(path).weights
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ModelError, match=f"states the SHA-256 {digest}"):
        stated(path)


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("https://example.org/net.pt", "would have to be fetched; nothing is. Download"),
        ("../net.pt", "climbs out of its folder"),
        ("/etc/passwd", "has an absolute path"),
        ("file:///etc/passwd", "would have to be fetched"),
        ("other.pt", "which is not beside it"),
    ],
)
def test_files_outside_the_folder_are_refused(href: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"x")
    path = item(tmp_path / "a", assets={"model": asset("torchscript", href=href)})
    with pytest.raises(ModelError, match=reason):
        stated(path)


def test_a_file_that_was_downloaded_stands_for_its_address(tmp_path: Path) -> None:
    path = item(tmp_path / "a", assets={"model": asset("torchscript", href="https://example.org/v1/weights.pt?x=1")})
    assert read_description(path).weights_file(ModelConfig(path=path)) == (tmp_path / "a" / "weights.pt").resolve()


def test_an_item_without_files_or_with_another_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no asset has the role mlm:model"):
        stated(item(tmp_path / "a", assets={"code": {"href": "a.py", "roles": ["mlm:source_code"]}}))
    wrong = {"model": asset("torchscript", **{"mlm:artifact_type": "torch.export.save"})}
    with pytest.raises(ModelError, match=r"is torch\.export\.save, an exported program, and the file is a TorchScript"):
        stated(item(tmp_path / "a", assets=wrong))


def test_weights_alone_need_code_that_the_user_names_and_a_pickle_is_not_run(tmp_path: Path) -> None:
    path = item(tmp_path / "a", ("saved",))
    with pytest.raises(ModelError, match="no whole network among them: code builds it, Twice"):
        stated(path)
    made = stated(path, factory="net.py:make")
    assert (made.kind, read_description(path).takes_factory) == ("python", True)
    assert read_description(path).code_of_network() == "Twice"


def test_a_network_of_ours_is_known_by_its_file(tmp_path: Path) -> None:
    args = {"bands": 3, "classes": 2, "width": 4}
    meta = ModelMeta(kind="fcn", args=args, output={"activation": "softmax"})
    path = item(tmp_path / "a", (), assets={"model": {"href": "net.safetensors", "roles": ["mlm:model"]}})
    save(tmp_path / "a" / "net.safetensors", build_native("fcn", args), meta)
    made = stated(path)
    assert (made.kind, made.args, made.output) == ("fcn", args, {"activation": "softmax"})
