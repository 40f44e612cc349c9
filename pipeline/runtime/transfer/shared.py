"""A CPU computes where the pixels are: nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.interfaces import Pixels
from pipeline.runtime.clock import stage
from pipeline.runtime.transfer.base import Arrays, Raw, Span, Tensors


class Shared:
    """A device that computes in the memory of the process."""

    ahead = False

    def up(self, pixels: Pixels) -> Raw:
        """They are there."""
        return Raw.of(pixels)

    @contextmanager
    def computing(self, raw: Raw) -> Iterator[Span]:
        """They take as long as the device does."""
        with stage("device"):
            yield Span()

    def down(self, tensors: Tensors, span: Span) -> Arrays:
        """The same memory."""
        return {name: tensor.numpy() for name, tensor in tensors.items()}
