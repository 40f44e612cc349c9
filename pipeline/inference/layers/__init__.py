"""The layers of a store: how each is made of a tile's logits. One layer, one file; what it is on disk is in `pipeline.store.spec`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.window import Window
from pipeline.inference.decode import Answer, Decoding
from pipeline.inference.layers import confidence, entropy, mask, probabilities
from pipeline.store.spec import LayerSpec, layer_spec

KINDS: MappingProxyType[str, Callable[[Answer, LayerSpec, float], torch.Tensor]] = MappingProxyType(
    {"mask": mask.make, "confidence": confidence.make, "probabilities": probabilities.make, "entropy": entropy.make}
)
"""Each takes what a tile's logits say, the layer, and ``output.min_confidence``; gives ([classes,] rows, cols) on the device."""


class Wanted(Protocol):
    """What decides the layers of a job: a part of its recipe."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def dtype(self) -> str:
        """Of the mask."""

    @property
    def nodata(self) -> int:
        """Of the mask."""

    @property
    def probabilities(self) -> str:
        """Dtype of the layer of that name."""

    @property
    def min_confidence(self) -> float:
        """Below it a pixel is nodata in the mask."""

    @property
    def decoding(self) -> Decoding:
        """What the network's channels mean."""


def empty(window: Window, wanted: Wanted) -> dict[str, npt.NDArray[Any]]:
    """The layers of a window of which nothing is known, each ([classes,] rows, cols) of its fill value."""
    return {name: np.full(of.shape(window.height, window.width), of.fill, dtype=of.dtype) for name, of in _specs(wanted).items()}


def room(window: Window, wanted: Wanted, device: torch.device) -> dict[str, torch.Tensor]:
    """Where the layers of a window go, each ([classes,] rows, cols) of anything."""
    shapes = {name: (of.shape(window.height, window.width), getattr(torch, of.dtype)) for name, of in _specs(wanted).items()}
    return {name: torch.empty(shape, dtype=dtype, device=device) for name, (shape, dtype) in shapes.items()}


def made(logits: torch.Tensor, how: Decoding, wanted: Wanted) -> Iterator[tuple[str, torch.Tensor]]:
    """The layers of a tile, on the device.

    Parameters
    ----------
    logits
        (channels, rows, cols) float32, on the device.
    how
        What they mean: the decoding of the recipe, but for tiles whose probabilities were blended.
    wanted
        Which layers, and of what dtypes.

    Yields
    ------
    tuple
        Name and ([classes,] rows, cols) of each, one after the other: one layer is there at a time, beside logits and probabilities.
    """
    answer = Answer(logits, how)
    return ((name, KINDS[name](answer, of, wanted.min_confidence)) for name, of in _specs(wanted).items())


def decoded(logits: torch.Tensor, how: Decoding, wanted: Wanted) -> dict[str, npt.NDArray[Any]]:
    """The same in the memory of the process."""
    return {name: values.cpu().numpy() for name, values in made(logits, how, wanted)}


def blank(layers: Mapping[str, npt.NDArray[Any]], asked: npt.NDArray[np.bool_], wanted: Wanted) -> None:
    """Put the fill value where nothing is known.

    Parameters
    ----------
    layers
        Each ([classes,] rows, cols), by name; changed in place.
    asked
        (rows, cols): where it is known.
    wanted
        Which layers, and of what dtypes.
    """
    if not asked.all():
        for name, of in _specs(wanted).items():
            np.copyto(layers[name], of.fill, where=~asked)


def _specs(wanted: Wanted) -> dict[str, LayerSpec]:
    planes = len(wanted.decoding.outcomes)
    return {name: layer_spec(name, dtype=wanted.dtype, nodata=wanted.nodata, probabilities=wanted.probabilities, planes=planes) for name in wanted.layers}
