"""Images for a network to look at, of the sizes it takes, evaluated so that NaNs stay where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]  # public, and left out of its __all__

from pipeline.errors import PlanError
from pipeline.geometry.span import round_down, round_up
from pipeline.inspect.memory.limit import Room, starved
from pipeline.interfaces import Network
from pipeline.runtime.backends import KINDS
from pipeline.runtime.device import out_of_memory

Axis = Literal["rows", "cols"]
IMAGE_AXES: tuple[Axis, Axis] = ("rows", "cols")
FIRST_STRIP_LENGTH = 1024
"""Length of the first strips on which shifts are compared, px."""
Through = Callable[[Network, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """A network and the shape of its input."""

    network: Network
    bands: int
    device: torch.device
    seed: int = 0
    room: Room | None = None
    """Memory that images may take; None for as much as there is."""
    _accepted: dict[torch.Size, bool] = field(init=False, default_factory=dict, compare=False, repr=False)
    """Shapes of images that were tried, and whether the network runs on them."""

    @property
    def fixed(self) -> int | None:
        """The only size it takes, px, or None."""
        accepts = self.network.accepts
        return accepts.minimum if accepts.minimum == accepts.maximum else None

    @property
    def has_small_maximum(self) -> bool:
        """Whether its largest size leaves no strip whose middle is far from its ends."""
        return self.network.accepts.maximum is not None and self.network.accepts.maximum < FIRST_STRIP_LENGTH

    def size(self, requested: int, multiple: int) -> int:
        """The size nearest above ``requested`` that is a multiple and that the network's file allows, px."""
        if self.fixed:
            return self.fixed
        accepts = self.network.accepts
        size = round_up(max(requested, accepts.minimum), multiple)
        return size if accepts.maximum is None else min(size, round_down(accepts.maximum, multiple))

    def noise(self, rows: int, cols: int, draw: int = 0) -> torch.Tensor:
        """Standard normal pixels, (1, bands, rows, cols); each draw is another."""
        generator = torch.Generator().manual_seed(self.seed + draw)
        return torch.randn((1, self.bands, rows, cols), generator=generator).to(self.device)

    def strip(self, axis: Axis, length: int, side: int, draw: int = 0) -> torch.Tensor:
        """A long thin image: ``length`` px along ``axis``, ``side`` px across."""
        return self.noise(length, side, draw) if axis == "rows" else self.noise(side, length, draw)

    def run(self, x: torch.Tensor, through: Through | None = None, copies: int = 1) -> torch.Tensor:
        """Logits (classes, rows, cols), the network called by ``through`` if given, which holds so many copies of all.

        Winograd and FFT would spread NaNs.

        Raises
        ------
        PlanError
            The image needs more memory than there is room for, or than its device has.
        """
        with torch.inference_mode(), _direct_convolutions(), optimized_execution(False):
            if self.room is not None:
                self.room.admit(self.network, x, copies)
            try:
                return (through(self.network, x) if through else self.network(x))[0]
            except Exception as error:
                if out_of_memory(error):
                    raise starved(x) from error
                raise

    def takes(self, x: torch.Tensor) -> bool:
        """Whether the network runs on an image of this size, which is tried once.

        A stride is searched for over the same few sizes.
        """
        if x.shape not in self._accepted:
            self._accepted[x.shape] = self._runs(x)
        return self._accepted[x.shape]

    def _runs(self, x: torch.Tensor) -> bool:
        try:
            return self.run(x).isfinite().all().item() is not None
        except PlanError:
            raise
        except Exception:  # a network refuses a size with whatever its layers raise
            return False


@contextmanager
def _direct_convolutions() -> Iterator[None]:
    """Products of matrices only, and in full precision: TF32 would tell a tile from the whole."""
    with ExitStack() as stack:
        for backend in KINDS.values():
            stack.enter_context(backend.full_precision())
        yield


def slice_axis(x: torch.Tensor, axis: Axis, start: int, stop: int) -> torch.Tensor:
    """Part of an image or of logits along an axis."""
    return x[..., start:stop, :] if axis == "rows" else x[..., start:stop]
