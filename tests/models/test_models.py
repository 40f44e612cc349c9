from __future__ import annotations

import copy
import io
import json
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config import InputConfig, ModelConfig
from pipeline.errors import ConfigError, ModelError, PipelineError
from pipeline.models import KINDS, load
from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.classifiers import lenet
from pipeline.models.architectures.convolutional import Convolutional
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.architectures.upsample import bilinear
from pipeline.models.output import logits
from pipeline.models.transformers import ScoresPerPixel
from pipeline.models.weights import ModelMeta, read_model_meta, save
from tests import networks, scenes
from tests.models import stand_in
from tests.models.onnx_files import to_onnx

CODE = """
import torch.nn as nn
def make(classes=4):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, classes, 1))
def broken():
    raise ValueError("out of cheese")
def number():
    return 3
def leave():
    raise SystemExit(3)
"""


@pytest.fixture(autouse=True)
def _libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, stand_in.NAME, stand_in.library())
    monkeypatch.setitem(sys.modules, "transformers", stand_in.transformers_library())


def small() -> FCN8s:
    return networks.lively(FCN8s(3, 4, width=4, fc_kernel=3, fc_width=4))  # type: ignore[return-value]


def as_torchscript(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network = small()
    return ModelConfig(kind="torchscript", path=scenes.script(network, folder / "a.pt")), network


def as_exported(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network, program = exported()
    (folder / "a.pt2").write_bytes(program)
    return ModelConfig(kind="exported", path=folder / "a.pt2"), copy.deepcopy(network)


@cache
def exported() -> tuple[nn.Module, bytes]:
    """A network and its program, exported once: that takes a second."""
    network, file = small(), io.BytesIO()
    rows, cols = torch.export.Dim("rows", min=1, max=64), torch.export.Dim("cols", min=1, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network, (torch.rand(1, 3, 96, 128),), dynamic_shapes=({2: 32 * rows, 3: 32 * cols},)
        )
        torch.export.save(program, file)
    return network, file.getvalue()


def as_onnx(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network = small()
    return ModelConfig(kind="onnx", path=to_onnx(network, folder / "a.onnx", (1, 3, 64, 64))), network


def as_python(folder: Path) -> tuple[ModelConfig, nn.Module]:
    (folder / "nets.py").write_text(CODE)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    torch.save(network.state_dict(), folder / "a.pt")
    return ModelConfig(
        kind="python", factory=f"{folder / 'nets.py'}:make", args={"classes": 4}, path=folder / "a.pt"
    ), network


def as_fcn8s(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network = small()
    args = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
    save(folder / "a.safetensors", network, ModelMeta(kind="fcn8s", args=args))
    return ModelConfig(kind="fcn8s", path=folder / "a.safetensors", args=args), network


def as_ours(kind: str) -> Callable[[Path], tuple[ModelConfig, nn.Module]]:
    """One of our networks other than FCN-8s, by the file that says what it is."""

    def make(folder: Path) -> tuple[ModelConfig, nn.Module]:
        args = {"bands": 3, "classes": 4, "width": 4} | (
            {"fc_kernel": 3, "fc_width": 4} if kind.startswith("fcn") and kind != "fcn" else {}
        )
        network = networks.lively(NETWORKS[kind](**args))
        save(folder / "a.safetensors", network, ModelMeta(kind=kind, args=args))
        return ModelConfig(kind=kind, path=folder / "a.safetensors", args=args), network

    return make


CLASSIFIER = """
from pipeline.models.architectures.classifiers import lenet
def make():
    return lenet(4, 3)
"""


def as_classifier(folder: Path) -> tuple[ModelConfig, nn.Module]:
    (folder / "nets.py").write_text(CLASSIFIER)
    network = lenet(4, 3).eval()
    torch.save(network.state_dict(), folder / "a.pt")
    config = ModelConfig(
        kind="classifier", factory=f"{folder / 'nets.py'}:make", path=folder / "a.pt", input=InputConfig(size=32)
    )
    return config, Convolutional(network, 3, 32)


def as_smp(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network = networks.lively(stand_in.Unet(encoder_weights=None, classes=4))
    torch.save(network.state_dict(), folder / "a.pt")
    return ModelConfig(kind="smp", arch="Unet", path=folder / "a.pt", args={"in_channels": 3, "classes": 4}), network


def as_transformers(folder: Path) -> tuple[ModelConfig, nn.Module]:
    network = networks.lively(stand_in.SmallForSemanticSegmentation(stand_in.SmallConfig(num_labels=4)))
    torch.save(network.state_dict(), folder / "a.pt")
    arch = "SmallForSemanticSegmentation"
    model = ModelConfig(kind="transformers", arch=arch, path=folder / "a.pt", args={"num_labels": 4})
    return model, ScoresPerPixel(network)


MAKERS: dict[str, Callable[[Path], tuple[ModelConfig, nn.Module]]] = {
    "torchscript": as_torchscript,
    "exported": as_exported,
    "onnx": as_onnx,
    "python": as_python,
    "smp": as_smp,
    "fcn8s": as_fcn8s,
    "classifier": as_classifier,
    **{kind: as_ours(kind) for kind in NETWORKS if kind != "fcn8s"},
    "transformers": as_transformers,
}


def test_every_kind_is_tested_here() -> None:
    assert set(MAKERS) == set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_a_loaded_network_says_what_the_saved_one_said(kind: str, tmp_path: Path) -> None:
    config, network = MAKERS[kind](tmp_path)
    loaded, x = load(config, 3, torch.device("cpu")), torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.allclose(loaded(x), network(x), atol=1e-5)
    assert loaded.identity() == load(config, 3, torch.device("cpu")).identity()


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_other_bytes_are_another_network(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    config, _ = MAKERS[kind](tmp_path / "a")
    before = load(config, 3, torch.device("cpu")).identity()
    torch.manual_seed(77)
    other, changed = MAKERS[kind](tmp_path / "b")
    if kind in ("python", "classifier"):
        (tmp_path / "b" / "nets.py").write_text((tmp_path / "b" / "nets.py").read_text() + "\n# another version\n")
    else:
        with torch.no_grad():
            next(changed.parameters()).add_(1)
        _resave(kind, other, changed)
    assert load(other, 3, torch.device("cpu")).identity() != before


def _resave(kind: str, config: ModelConfig, network: nn.Module) -> None:
    assert config.path is not None
    if kind == "torchscript":
        scenes.script(network, config.path)
    elif kind == "onnx":
        to_onnx(network, config.path, (1, 3, 64, 64))
    elif kind == "smp":
        torch.save(network.state_dict(), config.path)
    elif kind == "transformers":
        torch.save(network.network.state_dict(), config.path)
    elif kind in NETWORKS:
        save(config.path, network, ModelMeta(kind=kind, args=config.args))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(torch.export.export(network, (torch.rand(1, 3, 96, 96),)), config.path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "exported"])
def test_bands_that_do_not_fit_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"5 bands.*3 bands|3 bands.*5 bands"):
        load(MAKERS[kind](tmp_path)[0], 5, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_garbage_is_named(kind: str, tmp_path: Path) -> None:
    config, _ = MAKERS[kind](tmp_path)
    assert config.path is not None
    config.path.write_bytes(b"\x80\x04garbage")
    with pytest.raises(ModelError, match=config.path.name):
        load(config, 3, torch.device("cpu"))


@pytest.mark.slow
def test_an_exported_network_says_what_sizes_it_takes(tmp_path: Path) -> None:
    accepts = load(as_exported(tmp_path)[0], 3, torch.device("cpu")).accepts
    assert (accepts.multiple, accepts.maximum, accepts.batch) == (32, 64 * 32, 1)
    assert accepts.minimum in (32, 64)


def test_a_fixed_batch_is_filled(tmp_path: Path) -> None:
    network, path = networks.Twice().eval(), tmp_path / "a.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, (torch.rand(4, 3, 48, 48),)), path)
    loaded, x = load(ModelConfig(kind="exported", path=path), 3, torch.device("cpu")), torch.randn(1, 3, 48, 48)
    assert (loaded.accepts.minimum, loaded.accepts.maximum, loaded.accepts.batch) == (48, 48, 4)
    with torch.inference_mode():
        assert torch.allclose(loaded(x), network(x), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"factory": None}, ConfigError, "package.module:callable"),
        ({"factory": "nowhere.py:make"}, ModelError, "nowhere.py"),
        ({"factory": "no.such.module:make"}, ModelError, "no.such.module"),
        ({"name": "broken", "args": {}}, ModelError, "out of cheese"),
        ({"name": "number", "args": {}}, ModelError, "returned int"),
        ({"name": "leave", "args": {}}, ModelError, "SystemExit: 3"),
        ({"name": "mak", "args": {}}, ModelError, "nearest is make"),
        ({"factory": ":make"}, ConfigError, "package.module:callable"),
        ({"args": {"classes": 7}}, ModelError, r"2\.weight is \(4, 8, 1, 1\)"),
        ({"args": {"colour": 7}}, ModelError, "colour"),
    ],
)
def test_mistakes_with_a_factory_are_told(
    change: dict[str, Any], error: type[PipelineError], words: str, tmp_path: Path
) -> None:
    config, _ = as_python(tmp_path)
    name = change.pop("name", None)
    said = {**config.model_dump(), **change}
    if name:
        said["factory"] = f"{tmp_path / 'nets.py'}:{name}"
    with pytest.raises(error, match=words):
        load(ModelConfig(**said), 3, torch.device("cpu"))


def test_missing_and_extra_keys_are_shown_with_the_nearest(tmp_path: Path) -> None:
    config, network = as_python(tmp_path)
    assert config.path is not None
    torch.save(
        {key.replace("0.weight", "zero.weight"): value for key, value in network.state_dict().items()}, config.path
    )
    with pytest.raises(ModelError, match=r"0\.weight is missing \(nearest in the file: zero\.weight\)"):
        load(config, 3, torch.device("cpu"))


def test_a_file_without_a_state_dict_is_told_by_its_entries(tmp_path: Path) -> None:
    config, _ = as_python(tmp_path)
    assert config.path is not None
    torch.save({"history": [1, 2], "epoch": 3}, config.path)
    with pytest.raises(ModelError, match="with history, epoch, in which there is no state dict"):
        load(config, 3, torch.device("cpu"))


def test_state_dicts_older_than_the_counters_of_batch_norm_load(tmp_path: Path) -> None:
    network = small()
    old = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(dict(old), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    args = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
    loaded, x = (
        load(ModelConfig(kind="fcn8s", path=tmp_path / "old.pt", args=args), 3, torch.device("cpu")),
        torch.randn(1, 3, 32, 64),
    )
    with torch.inference_mode():
        assert torch.allclose(loaded(x), network(x), atol=1e-5)


def test_a_network_saved_in_half_precision_is_run_in_float32(tmp_path: Path) -> None:
    path, x = scenes.script(networks.Twice().half(), tmp_path / "half.pt"), torch.randn(1, 3, 16, 16)
    assert load(ModelConfig(kind="torchscript", path=path), 3, torch.device("cpu"))(x).dtype == torch.float32


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    config, network = as_python(tmp_path)
    assert config.path is not None
    torch.save(network, config.path)
    with pytest.raises(ModelError, match="without executing code"):
        load(config, 3, torch.device("cpu"))


def test_a_file_of_ours_says_what_it_is(tmp_path: Path) -> None:
    meta = ModelMeta(
        kind="fcn8s",
        args={"bands": 3},
        bands=["r", "g", "b"],
        input={"mean": [1, 2, 3]},
        classes=[{"name": "a", "color": "#000000"}],
    )
    save(tmp_path / "a.safetensors", networks.Pixelwise(), meta)
    assert read_model_meta(tmp_path / "a.safetensors") == meta


@pytest.mark.parametrize("said", ['{"kind": "fcn8s", "flavour": 3}', "no json"])
def test_a_file_that_says_of_itself_what_is_not_understood_is_refused(said: str, tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"wholecloth": said}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match=r"a\.safetensors says of itself"):
        read_model_meta(tmp_path / "a.safetensors")


@pytest.mark.parametrize("args", [{"width": -2}, {"fc_kernel": 4}, {"width": "wide"}])
def test_impossible_hyperparameters_are_refused(args: dict[str, Any], tmp_path: Path) -> None:
    config, _ = as_fcn8s(tmp_path)
    with pytest.raises(ModelError, match="do not fit fcn8s"):
        load(config.model_copy(update={"args": {**config.args, **args}}), 3, torch.device("cpu"))


def test_bilinear_upsampling_is_what_the_transposed_convolution_begins_as() -> None:
    x = torch.randn(1, 2, 9, 9)
    ours = bilinear(2, 8)(x).detach()
    theirs = torch.nn.functional.interpolate(x, scale_factor=8, mode="bilinear", align_corners=False)
    assert torch.allclose(ours[..., 8:-8, 8:-8], theirs[..., 8:-8, 8:-8], atol=1e-5)


@pytest.mark.parametrize(
    "wrap", [lambda t: t, lambda t: {"out": t}, lambda t: (t, None), lambda t: type("Answer", (), {"logits": t})()]
)
def test_whatever_a_network_returns_its_logits_are_found(wrap: Callable[[torch.Tensor], Any]) -> None:
    x = torch.randn(1, 2, 8, 12)
    assert torch.equal(logits(wrap(x), "auto", 8, 12), x)


def test_smaller_logits_are_upsampled_by_a_whole_factor_only() -> None:
    assert logits(torch.randn(1, 2, 4, 6), "auto", 16, 24).shape == (1, 2, 16, 24)
    for returned, words in (
        (torch.randn(1, 2, 5, 6), "whole factor"),
        ({"aux": 1}, "aux"),
        (torch.randn(2, 3), "shape"),
        ((), "nothing"),
    ):
        with pytest.raises(ModelError, match=words):
            logits(returned, "auto", 16, 24)


@pytest.mark.parametrize(("returned", "key"), [({"a": 1}, "b"), ((1, 2), "5"), ((1, 2), "out")])
def test_a_key_that_is_not_there_is_named(returned: Any, key: str) -> None:
    with pytest.raises(ModelError, match=key):
        logits(returned, key, 16, 24)
