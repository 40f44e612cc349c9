"""FCN-8s: a VGG-style body with skip connections (Long, Shelhamer & Darrell 2015).

The original pads its input by 100 px and crops afterwards. Here fc6 is padded to keep the size, so that every stage stays
aligned to the stride of 32 and tiles equal the whole image.
"""

from __future__ import annotations

import json

import torch
import torch.nn as nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.weights import load_into, sha256

DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions per stage, as in VGG16."""
GROWTH = (1, 2, 4, 8, 8)
"""Channels of each stage, in units of ``width``."""


class FCN8s(nn.Module):
    """Fully convolutional network of stride 32 with skips at strides 8 and 16.

    Parameters
    ----------
    bands
        Input bands.
    classes
        Output channels.
    width
        Channels of the first stage; 64 is VGG16.
    fc_kernel
        Size of fc6, odd; 7 is the original. Each 2 px of it add 32 px to the radius.
    fc_width
        Channels of fc6 and fc7, in units of ``width``; 64 is the original.
    norm
        Whether each convolution is followed by batch norm.

    Raises
    ------
    ValueError
        A size is below 1, or ``fc_kernel`` is even.
    """

    def __init__(self, bands: int, classes: int, width: int = 64, fc_kernel: int = 7, fc_width: int = 64, norm: bool = True) -> None:
        super().__init__()
        if min(bands, classes, width, fc_kernel, fc_width) < 1 or fc_kernel % 2 == 0:
            raise ValueError(f"sizes are at least 1 and fc_kernel is odd, not {bands=}, {classes=}, {width=}, {fc_kernel=}, {fc_width=}")
        channels = [width * k for k in GROWTH]
        inputs = [bands, *channels[:-1]]
        stages = [_stage(i, o, depth, norm) for i, o, depth in zip(inputs, channels, DEPTHS, strict=True)]
        self.pool3 = nn.Sequential(*stages[:3])
        self.pool4 = stages[3]
        self.pool5 = stages[4]
        hidden = width * fc_width
        self.fc6 = nn.Sequential(*_unit(channels[4], hidden, fc_kernel, norm))
        self.fc7 = nn.Sequential(*_unit(hidden, hidden, 1, norm))
        self.score = nn.Conv2d(hidden, classes, 1)
        self.score4 = nn.Conv2d(channels[3], classes, 1)
        self.score3 = nn.Conv2d(channels[2], classes, 1)
        self.up2 = bilinear(classes, 2)
        self.up4 = bilinear(classes, 2)
        self.up8 = bilinear(classes, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits of the same size; rows and cols are multiples of 32."""
        third = self.pool3(x)
        fourth = self.pool4(third)
        deep = self.score(self.fc7(self.fc6(self.pool5(fourth))))
        sixteenth = self.up2(deep) + self.score4(fourth)
        eighth = self.up4(sixteenth) + self.score3(third)
        logits: torch.Tensor = self.up8(eighth)
        return logits


def bilinear(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution that upsamples bilinearly until it is trained."""
    size = 2 * factor
    layer = nn.ConvTranspose2d(channels, channels, size, stride=factor, padding=factor // 2, bias=False)
    ramp = 1 - (torch.arange(size) + 0.5 - factor).abs() / factor
    with torch.no_grad():
        layer.weight.zero_()
        for k in range(channels):
            layer.weight[k, k] = torch.outer(ramp, ramp)
    return layer


def _unit(inputs: int, outputs: int, kernel: int, norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not norm)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def _stage(inputs: int, outputs: int, depth: int, norm: bool) -> nn.Sequential:
    layers = [layer for i in range(depth) for layer in _unit(inputs if i == 0 else outputs, outputs, 3, norm)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Build the network that a file of ours describes and load its weights.

    Raises
    ------
    ModelError
        There is no file, or it does not fit.
    """
    if model.path is None:
        raise ModelError("model.path is missing: kind fcn8s needs the file with its weights.")
    args = {"bands": bands, **model.args}
    if "classes" not in args:
        if model.classes is None:
            raise ModelError("kind fcn8s needs model.args.classes, or a list of model.classes, where the weights file does not say how many classes it has.")
        args["classes"] = len(model.classes)
    if args["bands"] != bands:
        raise ModelError(f"{bands} bands are read, but the network in {model.path} takes {args['bands']} bands. Choose them with source.bands, in its order.")
    try:
        module = FCN8s(**args)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model.args {model.args} do not fit fcn8s ({error}). It takes bands, classes, width, fc_kernel, fc_width and norm.") from error
    load_into(module, model.path)
    module.eval().to(device)
    said = {"kind": "fcn8s", "args": json.dumps(args, sort_keys=True), "sha256": sha256(model.path)}
    return Loaded(module=module, said=said, key=model.output.key)
