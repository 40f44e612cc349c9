"""Networks of ours, by name: plain modules that know nothing of files, configs or tiles.

Each takes images of any size, returns logits of the same size, and can be scripted and exported. What is not a multiple of
its stride is padded at the far edges with 0, as the raster is, and cropped again.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import torch

from pipeline.models.architectures.deconvnet import deconvnet
from pipeline.models.architectures.fcn import FCN
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.architectures.fcn16s import FCN16s
from pipeline.models.architectures.fcn32s import FCN32s
from pipeline.models.architectures.resnet_fcn import ResNetFCN

NETWORKS: dict[str, Callable[..., torch.nn.Module]] = {
    "fcn32s": FCN32s,
    "fcn16s": FCN16s,
    "fcn8s": FCN8s,
    "fcn": FCN,
    "deconvnet": deconvnet,
    "resnet_fcn": ResNetFCN,
}


def revision(module: str) -> int | None:
    """How often what a module of ours makes was changed: networks of one name and revision say the same of the same weights.

    Parameters
    ----------
    module
        Its dotted name, such as ``pipeline.models.architectures.fcn8s``.

    Returns
    -------
    int or None
        The number that is kept as ``REVISION`` in it; None where it makes no network.
    """
    name = module.removeprefix(f"{__name__}.")
    if name == module or "." in name or importlib.util.find_spec(module) is None:
        return None
    number: int | None = getattr(importlib.import_module(module), "REVISION", None)
    return number
