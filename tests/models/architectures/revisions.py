"""What each module of ours that makes networks computes, in a few numbers.

``python -m tests.models.architectures.revisions`` writes them anew for the test.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.models.architectures import NETWORKS, revision
from pipeline.models.architectures.classifiers import alexnet, lenet, vgg
from pipeline.models.architectures.convolutional import Convolutional
from pipeline.models.architectures.dense_to_conv import as_convolutions
from pipeline.models.architectures.resnet import ResNet
from pipeline.models.architectures.upsample import bilinear
from pipeline.models.architectures.vgg import Body

TABLE = Path(__file__).with_suffix(".json")
"""Revision and numbers of each, as they were."""
BODY = {"width": 2, "fc_kernel": 3, "fc_width": 4}
BANDS, CLASSES, SHAPE = 2, 3, (70, 83)
"""No side is a multiple of a stride, so that padding and cropping count."""

SIZES = ("kernel_size", "stride", "padding", "dilation", "groups", "output_size")
"""What decides a layer beside the shapes of its weights."""

Numbers = tuple[float, ...]


def filled(network: nn.Module) -> nn.Module:
    """The network with weights that follow from their names alone, in float64, ready to infer."""
    for name, tensor in network.double().state_dict().items():
        if tensor.is_floating_point():
            drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(tensor.shape))
            tensor.copy_(torch.from_numpy(np.asarray(_scaled(name, drawn))))
    return network.eval()


def _scaled(name: str, drawn: np.ndarray) -> np.ndarray:
    """So that signals neither die nor explode."""
    if name.endswith("running_var"):
        return 1 + 0.2 * np.tanh(drawn)
    if drawn.ndim > 1:
        return drawn * np.sqrt(2 / np.prod(drawn.shape[1:]))
    return 0.1 * drawn + (1 if name.endswith("weight") else 0)


def image(bands: int = BANDS, shape: tuple[int, int] = SHAPE) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(0).standard_normal((1, bands, *shape)))


def numbers(answer: torch.Tensor) -> Numbers:
    """Shape, mean, spread, and the pixels at both corners and in the middle, of a few channels."""
    rows, cols = answer.shape[2] // 2, answer.shape[3] // 2
    places = answer[0, :CLASSES, [0, rows, -1], [0, cols, -1]]
    return tuple(
        float(f"{value:.9g}") for value in (*answer.shape[1:], answer.mean(), answer.std(), *places.flatten().tolist())
    )


def of(network: nn.Module, x: torch.Tensor | None = None) -> Numbers:
    with torch.inference_mode():
        return numbers(filled(network)(image() if x is None else x))


def _kind(name: str, **args: object) -> Callable[[], Numbers]:
    return lambda: of(NETWORKS[name](BANDS, CLASSES, **args))


def _coarse() -> Numbers:
    body = filled(Body(BANDS, CLASSES, norm=True, width=2, fc_kernel=3, fc_width=4))
    with torch.inference_mode():
        return numbers(body.coarse(body.pool4(body.pool3(image(shape=(64, 96))))))


def _slid(wrap: Callable[..., nn.Module]) -> Callable[[], Numbers]:
    def made() -> Numbers:
        classifier = filled(lenet(CLASSES)).float()
        with torch.inference_mode():
            return numbers(wrap(classifier, 1, 32).double().eval()(image(1, (50, 61))))

    return made


def _layers(make: Callable[[], nn.Module]) -> Callable[[], Numbers]:
    """Of a classifier that is too large to be run here: a sum over its layers."""

    def made() -> Numbers:
        with torch.device("meta"):
            parts = [part for part in make().modules() if not list(part.children())]
        said = [
            (
                type(part).__name__,
                *(str(getattr(part, name, "")) for name in SIZES),
                *(tuple(one.shape) for one in part.parameters()),
            )
            for part in parts
        ]
        return (float(zlib.crc32(repr(said).encode())),)

    return made


COMPUTES: dict[str, Callable[[], Numbers]] = {
    "fcn32s": _kind("fcn32s", **BODY),
    "fcn16s": _kind("fcn16s", **BODY),
    "fcn8s": _kind("fcn8s", **BODY),
    "fcn8s without norm": _kind("fcn8s", norm=False, **BODY),
    "fcn": _kind("fcn", width=4),
    "fcn of stride 4": _kind("fcn", width=4, output_stride=4),
    "deconvnet": _kind("deconvnet", width=2),
    "deconvnet with unpooling": _kind("deconvnet", unpooling=True, **BODY),
    "resnet_fcn": _kind("resnet_fcn", width=2),
    "resnet_fcn of depth 101": _kind("resnet_fcn", width=1, depth=101),
    "resnet": lambda: of(ResNet(BANDS, 50, 2)),
    "vgg": _coarse,
    "upsample": lambda: numbers(bilinear(2, 4).double()(image(shape=(5, 7))).detach()),
    "classifiers": lambda: of(lenet(CLASSES, BANDS).append(nn.Unflatten(1, (CLASSES, 1, 1))), image(shape=(32, 32))),
    "classifiers, vgg": lambda: of(
        nn.Sequential(vgg(11, CLASSES, BANDS, True, 2, 8), nn.Unflatten(1, (CLASSES, 1, 1))), image(shape=(224, 224))
    ),
    "classifiers, alexnet": _layers(alexnet),
    "convolutional": _slid(Convolutional),
    "dense_to_conv": _slid(as_convolutions),
}
"""By the module, and what of it."""


def module(name: str) -> str:
    """The module's dotted name."""
    return f"pipeline.models.architectures.{name.partition(',')[0].partition(' ')[0]}"


def table() -> dict[str, tuple[int | None, Numbers]]:
    """As it is now."""
    return {name: (revision(module(name)), made()) for name, made in COMPUTES.items()}


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table().items())
    TABLE.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n")
