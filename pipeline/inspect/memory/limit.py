"""The memory that measuring may take: no image goes through a network that would need more.

What an image needs is told by the bytes that a smaller one needed. Attention needs the square of that; so where the
square would not fit, the image is counted itself, and the network is stopped on its way before it takes more than there
is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import psutil

from pipeline.errors import ModelError, PlanError
from pipeline.interfaces import Network
from pipeline.models.ensemble import Ensemble
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of
from pipeline.runtime.memory_constants import COUNTED_FACTOR, MIN_PROPOSAL, NEED_MARGIN, OTHER_PROCESS
from pipeline.runtime.resources import MIB, human

if TYPE_CHECKING:
    import torch


COMPARED_COPIES = 3
"""Images that are alive at once where the operations of two runs are compared."""
FIRST_IMAGE_SIDE = 64
"""Side of the first image of a network, px, of which all others are told."""


class Room:
    """Memory for the images that a network is measured with, on the CPU.

    Parameters
    ----------
    budget
        Bytes that this process may hold, libraries included.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._pixels = self._bytes = 0
        """Of the largest image that was counted to its end."""
        self._members: dict[int, Room] = {}
        """That of each network of an ensemble, by its place."""
        self._stopped = False
        """Whether the last one was stopped on its way, so that it takes more than was counted."""

    def admit(self, network: Network, x: torch.Tensor, copies: int = 1) -> None:
        """Let an image pass, or refuse it before it takes anything.

        Parameters
        ----------
        network
            That is to run on it.
        x
            (batch, bands, rows, cols).
        copies
            Images of this size that are held at a time.

        Raises
        ------
        PlanError
            It would not fit.
        """
        need = copies * self._need(network, x)
        left = self._left(need)
        if self._stopped or need > left:
            raise PlanError(self._refusal(x, need, left))

    def fits(self, network: Network, x: torch.Tensor, buffers: int = 0) -> bool:
        """Whether an image would be let pass, with so many bytes of other arrays."""
        need = self._need(network, x) + buffers
        return not self._stopped and need <= self._left(need)

    def has(self, size: int) -> bool:
        """Whether so many bytes are left."""
        return size <= self._left(size)

    def _need(self, network: Network, x: torch.Tensor) -> int:
        """Resident bytes that an image is expected to take."""
        if backend_of(x.device).copies:
            return 0
        if isinstance(network, Ensemble):
            return self._need_of_members(network, x)
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        if network.graph is not None:
            if not self._pixels:
                self._pixels, self._bytes = pixels, network.graph.peak(x.shape[1], math.isqrt(pixels))
            return self._expected(pixels) + OTHER_PROCESS
        self._stopped = False
        counts = not self._pixels or (
            pixels > self._pixels and self._expected(pixels) * pixels / self._pixels > self._left(0)
        )
        return max(self._count(network, x, pixels) if counts else 0, self._expected(pixels))

    def _need_of_members(self, network: Ensemble, x: torch.Tensor) -> int:
        """The same of networks that run one after the other: that of the largest."""
        rooms = [self._members.setdefault(place, Room(self._budget)) for place in range(len(network.members))]
        pairs = zip(rooms, network.members, strict=True)
        needs = [room._need(member.network, member.select_bands(x)) for room, member in pairs]
        self._stopped = any(room._stopped for room in rooms)
        return max(needs)

    def _expected(self, pixels: int) -> int:
        return int(COUNTED_FACTOR * self._bytes * pixels / self._pixels) if self._pixels else 0

    def _count(self, network: Network, x: torch.Tensor, pixels: int) -> int:
        """Resident bytes of an image, or those at which its process was stopped.

        0 where the network refuses the image, or where the image is too large beforehand.
        """
        import torch

        from pipeline.inspect.memory.live_bytes import Live

        expected = self._expected(pixels)
        left = self._left(expected)
        if expected > left:
            return 0
        live = Live(network.module, int(left / COUNTED_FACTOR))
        try:
            with torch.inference_mode(), live:
                network(x)
        except ModelError:  # it ran, and took what it takes; whoever runs it next hears of what it returned
            pass
        except Exception:  # whatever its layers raise; whoever runs it next hears of it
            if not live.full:
                return 0
        resources.trim_heap()  # what was freed in pieces would lie beside what comes
        self._stopped = live.full
        if not live.full:
            self._pixels, self._bytes = pixels, live.resident
        return int(COUNTED_FACTOR * live.resident)

    def _left(self, need: int) -> int:
        """Bytes that may still be taken; what was freed is given back first where that matters."""
        left = self._budget - int(psutil.Process().memory_info().rss)
        return left if left >= need else self._budget - resources.resident()

    def _refusal(self, x: torch.Tensor, need: int, left: int) -> str:
        resident = self._budget - left
        amount = f"{'more than' if self._stopped else 'about'} {human(need)} of" if need else "some"
        return (
            f"Measuring the network takes {amount} memory for an image of {x.shape[2]} × {x.shape[3]} px, but "
            f"execution.memory allows {human(self._budget)}, of which {human(resident)} are taken by the "
            f"process and its libraries. "
            f"Raise execution.memory to "
            f"{math.ceil((resident + max(NEED_MARGIN * need, MIN_PROPOSAL)) / MIB)}MiB or more."
        )


def starved(x: torch.Tensor) -> PlanError:
    """An image for which a device had no memory, as the refusal that it is.

    It says nothing of the sizes that a network takes.
    """
    way = (
        "Free some of it, or set execution.device to another device or to cpu"
        if backend_of(x.device).copies
        else "Free some of it"
    )
    return PlanError(
        f"Measuring the network takes more memory than {x.device} has free for an image of {x.shape[2]} × "
        f"{x.shape[3]} px, the smallest that tells. {way}; "
        "or give a network of fewer channels."
    )
