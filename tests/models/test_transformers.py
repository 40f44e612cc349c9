"""Networks of transformers, by a stand-in for the library, and by itself where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pipeline.config import ClassConfig, ModelConfig
from pipeline.errors import ConfigError, ExtraError, ModelError, PipelineError
from pipeline.models import load
from tests import networks
from tests.models import stand_in

CPU = torch.device("cpu")
ARCH = "SmallForSemanticSegmentation"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = stand_in.transformers_library()
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def saved(folder: Path, **given: Any) -> tuple[ModelConfig, torch.nn.Module]:
    network = networks.lively(stand_in.SmallForSemanticSegmentation(stand_in.SmallConfig(num_labels=4)))
    save_file(network.state_dict(), folder / "model.safetensors")
    settings = {"kind": "transformers", "arch": ARCH, "path": folder / "model.safetensors", "args": {"num_labels": 4}}
    return ModelConfig(**{**settings, **given}), network


@pytest.mark.parametrize("given", [{}, {"args": {}, "classes": [ClassConfig(name=name) for name in "abcd"]}])
def test_scores_have_the_size_of_the_image(given: dict[str, Any], library: ModuleType, tmp_path: Path) -> None:
    model, network = saved(tmp_path, **given)
    loaded, image = load(model, 3, CPU), torch.randn(1, 3, 30, 44)
    with torch.inference_mode():
        scores = network(image).logits
        expected = torch.nn.functional.interpolate(scores, size=(30, 44), mode="bilinear", align_corners=False)
        assert scores.shape[2:] == (8, 11)
        assert torch.equal(loaded(image), expected)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"arch": "Segmenter"}, ConfigError, "'Segmenter', which is no network for semantic segmentation"),
        ({"arch": "OtherForSemanticSegmentation"}, ConfigError, "no network for semantic segmentation"),
        ({"arch": None}, ConfigError, "model.arch is None"),
        ({"args": {"num_labels": 5}}, ModelError, r"classifier\.bias is \(4,\) in the file and \(5,\) there"),
        ({"args": {"num_labels": 4, "colour": 1}}, ModelError, "do not fit each other .*colour"),
        ({"args": {"num_labels": 4, "deep": True}}, ModelError, r"does not fill .*second\.bias is missing"),
    ],
)
def test_a_network_that_does_not_fit_is_told(
    given: dict[str, Any], error: type[PipelineError], words: str, library: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load(saved(tmp_path, **given)[0], 3, CPU)


def test_weights_without_a_place_are_told_and_nothing_is_fetched(library: ModuleType, tmp_path: Path) -> None:
    model, network = saved(tmp_path, args={"num_labels": 4, "use_pretrained_backbone": True})
    save_file({**network.state_dict(), "head.bias": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert load(model, 3, CPU).notes == (f"head.bias of its weights have no place in {ARCH} and are left out",)


def test_the_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ExtraError, match=r"transformers.*pip install 'wholecloth\[transformers\]'"):
        load(saved(tmp_path)[0], 3, CPU)


@pytest.mark.slow
def test_a_folder_of_the_library_itself_runs_as_the_library_runs_it(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from pipeline.planning.described import with_description

    sizes = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 4]}
    configuration = transformers.SegformerConfig(num_labels=4, decoder_hidden_size=16, **sizes)
    network = networks.lively(transformers.SegformerForSemanticSegmentation(configuration)).eval()
    network.save_pretrained(tmp_path / "a")
    processor = transformers.SegformerImageProcessor(do_resize=False)
    processor.save_pretrained(tmp_path / "a")
    model = with_description(ModelConfig(path=tmp_path / "a"))
    image = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    assert model.input is not None
    mean, std = (torch.tensor(value)[:, None, None] for value in (model.input.mean, model.input.std))
    with torch.inference_mode():
        answer = network(**processor(image, return_tensors="pt"))
        expected = processor.post_process_semantic_segmentation(answer, target_sizes=[(64, 96)])[0]
        scores = load(model, 3, CPU)(((image * model.input.scale - mean) / std)[None])
    assert (scores.argmax(1)[0] == expected).float().mean() > 0.999


@pytest.mark.slow
def test_a_folder_of_smp_itself_runs_as_the_library_runs_it(tmp_path: Path) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    from pipeline.planning.described import with_description

    network = networks.lively(smp.Unet("resnet18", encoder_weights=None, classes=3)).eval()
    network.save_pretrained(tmp_path / "a")
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        scores = load(with_description(ModelConfig(path=tmp_path / "a")), 3, CPU)(image)
        assert torch.equal(scores, network(image))
