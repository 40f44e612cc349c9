"""What decides a pixel of the store beside geometry and weights, and a block's pixels on their way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window, bounding_window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation
from pipeline.interfaces import CAUSES, Pixels
from pipeline.store.layers import LayerSpec, layer_spec
from pipeline.store.values import ValuesSpec

if TYPE_CHECKING:
    import torch

    Channels = TypeVar("Channels", torch.Tensor, npt.NDArray[np.float32])


MEMORY_FORMATS = ("channels_last", "contiguous")
"""Orders of a tile's numbers in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything beside geometry and weights that decides a pixel of the store."""

    normalisation: Normalisation
    decoding: ClassDecoding
    layers: tuple[str, ...]
    nodata: int
    dtype: str
    """Dtype of the mask: uint8 or uint16."""
    precision: str
    threads: int
    """Intra-op threads."""
    taper: str
    blend: str
    """``logits`` or ``probabilities``: what is averaged where tiles overlap or are turned."""
    overlapping: bool
    """Whether tiles are blended."""
    augment: str = "none"
    """How tiles are turned and mirrored: ``none``, ``flips`` or ``dihedral``."""
    batch: int = 1
    """Equal tiles that go through the network at once, where tiles are blended."""
    probabilities: str = "uint8"
    """Dtype of the layer of that name: uint8 or float16."""
    min_confidence: float = 0.0
    """Below it a pixel is nodata in the mask."""
    fold: bool = False
    """Whether batch norm is folded into convolutions."""
    crop: bool = False
    """Whether halos are cropped on their way through the network."""
    runtime: str = "torch"
    """What runs the network, as in ``execution.runtime``; never ``auto``."""
    runtime_release: str = ""
    """Release of the runtime that the store keeps to, such as 2026.4; empty where it keeps to none."""
    values: ValuesSpec = field(default_factory=ValuesSpec)
    """What the layer of that name holds; without channels where there is none."""
    memory_format: str = "channels_last"
    """Order of a tile's numbers in memory: one of `MEMORY_FORMATS`."""
    has_variance: bool = False
    """Whether the variance between several networks follows what they return, channel by channel."""

    @property
    def has_classes(self) -> bool:
        """Whether the network's channels mean classes, so that there is a mask."""
        return "mask" in self.layers

    @property
    def layer_specs(self) -> dict[str, LayerSpec]:
        """What each layer is on disk, by name."""
        planes = len(self.decoding.outcomes)
        return {
            name: layer_spec(
                name,
                dtype=self.dtype,
                nodata=self.nodata,
                probabilities=self.probabilities,
                planes=planes,
                values=self.values,
            )
            for name in self.layers
        }

    @property
    def compile(self) -> bool:
        """Whether the network runs through ``torch.compile``."""
        return self.runtime == "compile"

    @property
    def clips(self) -> bool:
        """Whether numbers may lie beyond what is stored of them."""
        return "values" in self.layers and self.values.clips

    def answer_of(self, returned: Channels) -> Channels:
        """(channels, rows, cols) of what is returned: the answer, without the variance that may follow it."""
        return returned[: len(returned) // 2] if self.has_variance else returned

    @property
    def averages_probabilities(self) -> bool:
        """Whether what arrives at the decoder are probabilities already."""
        return self.blend == "probabilities" and (self.overlapping or self.augment != "none")

    @property
    def decoding_after_blend(self) -> ClassDecoding:
        """What is left to be done by the decoder."""
        return replace(self.decoding, activation="none") if self.averages_probabilities else self.decoding


@dataclass(frozen=True, slots=True)
class Block:
    """A block's pixels on their way through the network."""

    index: BlockIndex
    window: Window
    frame: Window
    pixels: Pixels
    requested: npt.NDArray[np.bool_] | None = None
    """(rows, cols) of the block: what is asked for, or None for all of it.

    The network sees what lies outside all the same.
    """

    @property
    def part(self) -> Window:
        """The rectangle that holds all that is asked for; the frame is what its tiles read."""
        return requested_window(self.window, self.requested)

    @property
    def output_mask(self) -> npt.NDArray[np.bool_]:
        """(rows, cols) of the block: pixels that get a class."""
        if self.requested is None:
            return self.pixels.valid[self.window.index_in(self.frame)]
        mask, part = np.zeros(self.requested.shape, dtype=bool), self.part
        where = part.index_in(self.window)
        mask[where] = self.requested[where] & self.pixels.valid[part.index_in(self.frame)]
        return mask

    @property
    def invalid(self) -> dict[str, int]:
        """Pixels of what is asked for that are invalid, by their cause."""
        if self.pixels.causes is None:
            return {}
        causes = self.pixels.causes[self.part.index_in(self.frame)]
        if self.requested is not None:
            causes = causes[self.requested[self.part.index_in(self.window)]]
        counts = np.bincount(causes.ravel(), minlength=len(CAUSES))
        return {name: int(count) for name, count in zip(CAUSES, counts, strict=True) if name and count}


def requested_window(window: Window, requested: npt.NDArray[np.bool_] | None) -> Window:
    """The rectangle of a block that holds all that is asked for: all of it where that is everything or nothing."""
    return window if requested is None else bounding_window(requested, window) or window
