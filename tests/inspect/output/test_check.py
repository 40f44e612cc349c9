"""What a network returns: known by walking back from it, said where it is a guess, refused where it is no scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.output.check import with_answer
from pipeline.interfaces import InputConstraints, Locality, Network
from pipeline.models import onnx
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from tests import networks
from tests.models.onnx_files import to_onnx

CPU = torch.device("cpu")
PLAIN = Locality(verdict="local", stride=1, radius=None, bands=3, classes=1, minimum=8)


class Ends(nn.Module):
    """Four scores, and what is done with them."""

    def __init__(self, end: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.body, self.end = nn.Conv2d(3, 4, 1), end

    def forward(self, x: torch.Tensor) -> Any:
        return self.end(self.body(x))


def cropped(x: torch.Tensor) -> torch.Tensor:
    return F.pad(torch.sigmoid(x)[..., 1:, 1:], (1, 0, 1, 0)).to(torch.float64)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x.permute(0, 2, 3, 1), -1).permute(0, 3, 1, 2)


def flattened(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x.flatten(2).transpose(1, 2), 2).transpose(1, 2).reshape(x.shape)


KNOWN: dict[str, tuple[Callable[[torch.Tensor], Any], str, str]] = {
    "logits": (lambda x: x, "", ""),
    "sigmoid": (torch.sigmoid, "probability", "sigmoid"),
    "sigmoid in place": (lambda x: x.clone().sigmoid_(), "probability", "sigmoid"),
    "softmax": (lambda x: torch.softmax(x, 1), "probability", "softmax"),
    "softmax of the second class alone": (lambda x: torch.softmax(x, 1)[:, 1:2], "probability", "softmax"),
    "crop, pad and cast": (cropped, "probability", "sigmoid"),
    "channels last": (channels_last, "probability", "softmax"),
    "flattened": (flattened, "probability", "softmax"),
    "softmax over rows": (lambda x: torch.softmax(x, 2), "", ""),
    "upsampled": (
        lambda x: F.interpolate(torch.softmax(x[..., ::2, ::2], 1), scale_factor=2.0, mode="bilinear"),
        "probability",
        "softmax",
    ),
    "upsampled by a cubic": (
        lambda x: F.interpolate(torch.sigmoid(x[..., ::2, ::2]), scale_factor=2.0, mode="bicubic"),
        "",
        "",
    ),
    "one less": (lambda x: 1 - torch.sigmoid(x), "probability", "sigmoid"),
    "both sides": (
        lambda x: torch.cat([1 - torch.sigmoid(x[:, :1]), torch.sigmoid(x[:, :1])], 1),
        "probability",
        "sigmoid",
    ),
    "the mean of two": (lambda x: (torch.softmax(x, 1) + torch.softmax(2 * x, 1)) / 2, "probability", "softmax"),
    "the mean of a stack": (
        lambda x: torch.stack([torch.sigmoid(x), torch.sigmoid(-x)]).mean(0),
        "probability",
        "sigmoid",
    ),
    "a shifted tanh": (lambda x: (torch.tanh(x) + 1) * 0.5, "probability", "tanh"),
    "tanh": (torch.tanh, "", ""),
    "then a convolution's worth": (lambda x: torch.sigmoid(x) * x, "", ""),
    "percent": (lambda x: 100 * torch.sigmoid(x[:, :1]), "scaled", "100 × sigmoid + 0"),
    "logarithms": (lambda x: torch.log_softmax(x, 1), "logarithm", "log_softmax"),
    "their exponentials": (lambda x: torch.log_softmax(x, 1).exp(), "probability", "log_softmax"),
    "logsigmoid": (lambda x: F.logsigmoid(x[:, :1]), "logarithm", "logsigmoid"),
    "classes as floats": (lambda x: x.argmax(1, keepdim=True).float(), "label", "argmax"),
    "places of the best": (lambda x: x.max(1, keepdim=True)[1].float(), "label", "max"),
    "a threshold": (lambda x: (torch.sigmoid(x[:, :1]) > 0.5).float(), "label", "a threshold"),
    "rounded": (lambda x: torch.sigmoid(x[:, :1]).round(), "label", "a rounded sigmoid"),
}
FORMS = ("eager", "traced", "exported", "onnx")


def network_of(module: nn.Module, form: str, folder: Path) -> Network:
    module = module.eval()
    if form == "eager":
        return Loaded(module=module, identity_fields={})
    if form == "traced":
        return Loaded(module=torch.jit.trace(module, torch.rand(1, 3, 32, 32)), identity_fields={})
    if form == "exported":
        return load_exported(
            ModelConfig(kind="exported", path=networks.export(module, folder / "net.pt2", (1, 3, 32, 32))), 3, CPU
        )
    return onnx.load(
        ModelConfig(kind="onnx", path=to_onnx(module, folder / "net.onnx", (1, 3, 32, 32), fixed=True)), 3, CPU
    )


def looked(network: Network) -> Locality:
    return with_answer(Prober(network=network, bands=3, device=CPU), PLAIN)


@pytest.mark.parametrize("form", ["eager", "traced"])
@pytest.mark.parametrize("name", KNOWN)
def test_what_is_returned_is_known_by_walking_back(name: str, form: str, tmp_path: Path) -> None:
    end, returns, words = KNOWN[name]
    found = looked(network_of(Ends(end), form, tmp_path))
    assert (found.returns, found.ending) == (returns, words)


@pytest.mark.slow
@pytest.mark.nightly("networks", after=6)
@pytest.mark.parametrize("form", ["exported", "onnx"])
@pytest.mark.parametrize(
    "name",
    [
        "sigmoid",
        "softmax",
        "crop, pad and cast",
        "channels last",
        "one less",
        "both sides",
        "logarithms",
        "classes as floats",
    ],
)
def test_programs_and_graphs_are_known_alike(name: str, form: str, tmp_path: Path) -> None:
    end, returns, words = KNOWN[name]
    if name == "classes as floats" and form == "onnx":
        words = "argmax"
    found = looked(network_of(Ends(end), form, tmp_path))
    assert (found.returns, found.ending) == (returns, words)


def test_what_merely_lies_between_0_and_1_is_a_guess() -> None:
    found = looked(Loaded(module=Ends(lambda x: x[:, :1] * 1e-3 + 0.5), identity_fields={}))
    assert (found.returns, found.between) == ("", "sigmoid")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda x: x.argmax(1), "class numbers"),
        (lambda x: x.argmax(1, keepdim=True), "class numbers"),
        (lambda x: x[:, :1] > 0, "class numbers"),
        (lambda x: x[:, :, None], "3-D"),
        (lambda x: x.transpose(0, 1), "batch of 1"),
    ],
)
def test_what_is_no_scores_of_each_image_is_refused(end: Callable[[torch.Tensor], Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        looked(Loaded(module=Ends(end), identity_fields={}))


def test_a_3d_network_that_takes_an_image_for_a_volume_is_refused() -> None:
    with pytest.raises(ModelError, match="3-D convolutions"):
        looked(Loaded(module=nn.Conv3d(1, 1, 3, padding=1), identity_fields={}))


def test_a_network_that_uses_3d_convolutions_inside_is_none() -> None:
    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv3d(3, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x[:, :, None])[:, :, 0]

    assert looked(Loaded(module=Inside(), identity_fields={})).returns == ""


@pytest.mark.parametrize(
    ("end", "key", "words"),
    [
        (
            lambda x: (x, x[:, :2]),
            "auto",
            ("2 tensors: 0 (1, 4, 32, 32), 1 (1, 2, 32, 32)", "0 is taken", "model.output.key"),
        ),
        (lambda x: {"aux": x + 1, "out": x}, "auto", ("aux (1, 4, 32, 32)", "out is taken")),
        (lambda x: (x, x), "1", ()),
        (lambda x: {"masks": x}, "auto", ()),
        (lambda x: x, "1", ("one tensor", "chooses nothing")),
    ],
)
def test_several_tensors_are_told_by_name_and_shape_unless_a_key_is_given(
    end: Callable[[torch.Tensor], Any], key: str, words: tuple[str, ...]
) -> None:
    said = looked(Loaded(module=Ends(end), identity_fields={}, key=key)).remarks
    assert bool(said) == bool(words)
    assert all(word in said[0] for word in words)


@pytest.mark.parametrize(("key", "place"), [(1, 1), ("1", 1), ("-1", 2), (0, 0)])
def test_a_key_may_be_a_number(key: Any, place: int) -> None:
    said = ModelConfig(kind="torchscript", output={"key": key}).output.key
    network = Loaded(module=Ends(lambda x: (x, 2 * x, 3 * x)), identity_fields={}, key=said, accepts=InputConstraints())
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        # torch leaves it open
        assert torch.equal(network(x), (place + 1) * network.module.body(x))  # type: ignore[operator]
