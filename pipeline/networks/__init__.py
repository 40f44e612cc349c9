"""Networks of ours, by name: plain modules that know nothing of files, configs or tiles.

Each takes images of any size, returns logits of the same size, and can be scripted and exported. What is not a multiple of
its stride is padded at the far edges with 0, as the raster is, and cropped again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.networks.deconvnet import deconvnet
from pipeline.networks.fcn import FCN
from pipeline.networks.fcn8s import FCN8s
from pipeline.networks.fcn16s import FCN16s
from pipeline.networks.fcn32s import FCN32s
from pipeline.networks.resnet_fcn import ResNetFCN

NETWORKS: dict[str, Callable[..., torch.nn.Module]] = {
    "fcn32s": FCN32s,
    "fcn16s": FCN16s,
    "fcn8s": FCN8s,
    "fcn": FCN,
    "deconvnet": deconvnet,
    "resnet_fcn": ResNetFCN,
}
