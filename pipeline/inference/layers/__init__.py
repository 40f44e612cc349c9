"""The layers of a store: how each is made of a tile's logits. One layer, one file; what it is on disk is in `pipeline.store.spec`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.window import Window
from pipeline.inference.decode import ClassDecoding, DecodedTile
from pipeline.inference.layers import confidence, entropy, mask, probabilities
from pipeline.store.spec import LayerSpec, layer_spec

KINDS: MappingProxyType[str, Callable[[DecodedTile, LayerSpec, float], torch.Tensor]] = MappingProxyType(
    {"mask": mask.make, "confidence": confidence.make, "probabilities": probabilities.make, "entropy": entropy.make}
)
"""Each takes what a tile's logits say, the layer, and ``output.min_confidence``; gives ([classes,] rows, cols) on the device."""


class LayerOptions(Protocol):
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
    def decoding(self) -> ClassDecoding:
        """What the network's channels mean."""


def filled(window: Window, options: LayerOptions) -> dict[str, npt.NDArray[Any]]:
    """The layers of a window of which nothing is known, each ([classes,] rows, cols) of its fill value."""
    return {name: np.full(spec.shape(window.height, window.width), spec.fill, dtype=spec.dtype) for name, spec in _specs(options).items()}


def allocate(window: Window, options: LayerOptions, device: torch.device) -> dict[str, torch.Tensor]:
    """Where the layers of a window go, each ([classes,] rows, cols) of anything."""
    shapes = {name: (spec.shape(window.height, window.width), getattr(torch, spec.dtype)) for name, spec in _specs(options).items()}
    return {name: torch.empty(shape, dtype=dtype, device=device) for name, (shape, dtype) in shapes.items()}


def compute_layers(logits: torch.Tensor, decoding: ClassDecoding, options: LayerOptions) -> Iterator[tuple[str, torch.Tensor]]:
    """The layers of a tile, on the device.

    Parameters
    ----------
    logits
        (channels, rows, cols) float32, on the device.
    decoding
        What they mean: the decoding of the recipe, but for tiles whose probabilities were blended.
    options
        Which layers, and of what dtypes.

    Yields
    ------
    tuple
        Name and ([classes,] rows, cols) of each, one after the other: one layer is there at a time, beside logits and probabilities.
    """
    tile = DecodedTile(logits, decoding)
    return ((name, KINDS[name](tile, spec, options.min_confidence)) for name, spec in _specs(options).items())


def decoded(logits: torch.Tensor, decoding: ClassDecoding, options: LayerOptions) -> dict[str, npt.NDArray[Any]]:
    """The same in the memory of the process."""
    return {name: values.cpu().numpy() for name, values in compute_layers(logits, decoding, options)}


def fill_invalid(layers: Mapping[str, npt.NDArray[Any]], output_mask: npt.NDArray[np.bool_], options: LayerOptions) -> None:
    """Put the fill value where nothing is known.

    Parameters
    ----------
    layers
        Each ([classes,] rows, cols), by name; changed in place.
    output_mask
        (rows, cols): where it is known.
    options
        Which layers, and of what dtypes.
    """
    if not output_mask.all():
        for name, spec in _specs(options).items():
            np.copyto(layers[name], spec.fill, where=~output_mask)


def _specs(options: LayerOptions) -> dict[str, LayerSpec]:
    planes = len(options.decoding.outcomes)
    return {name: layer_spec(name, dtype=options.dtype, nodata=options.nodata, probabilities=options.probabilities, planes=planes) for name in options.layers}
