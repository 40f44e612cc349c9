"""Networks of ours, by name: plain modules that know nothing of files, configs or tiles.

Each takes images of any size, returns logits of the same size, and can be scripted and exported. What is not a multiple
of its stride is padded at the far edges with 0, as the raster is, and cropped again.
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
FORMER_PACKAGE = "pipeline.networks"
"""The package's name in stores and configs of before, and in fingerprints."""
MOVED_MODULES = {
    **{
        name: name
        for name in (
            "classifiers",
            "deconvnet",
            "fcn",
            "fcn16s",
            "fcn32s",
            "fcn8s",
            "resnet",
            "resnet_fcn",
            "sizes",
            "upsample",
            "vgg",
        )
    },
    "classifier": "convolutional",
    "dense_layers": "dense_to_conv",
}
"""Modules of the package, by their names in ``pipeline.networks``."""


def revision(module: str) -> int | None:
    """How often what a module of ours makes was changed.

    Networks of one name and revision say the same of the same weights.

    Parameters
    ----------
    module
        Its dotted name, such as ``pipeline.models.architectures.fcn8s``, or the one that it had before.

    Returns
    -------
    int or None
        The number that is kept as ``REVISION`` in it; None where it makes no network.
    """
    package, _, name = module.rpartition(".")
    name = MOVED_MODULES.get(name, name) if package == FORMER_PACKAGE else name
    if package not in (__name__, FORMER_PACKAGE) or importlib.util.find_spec(f"{__name__}.{name}") is None:
        return None
    number: int | None = getattr(importlib.import_module(f"{__name__}.{name}"), "REVISION", None)
    return number


def name_in_fingerprints(module: str) -> str:
    """The one name by which fingerprints know a module of the package, whichever of its names a factory bears."""
    package, _, name = module.rpartition(".")
    earlier = next((old for old, new in MOVED_MODULES.items() if package == __name__ and new == name), None)
    return module if earlier is None else f"{FORMER_PACKAGE}.{earlier}"
