"""How operations of a network move along one axis of an image: which input pixels an output pixel is made of.

A *span* is a range of pixels of a tensor's axis, counted from where the axis would begin if nothing were cropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.geometry.span import Span


class AxisRule(Protocol):
    """One axis of one operation."""

    @property
    def unit(self) -> int:
        """A cropped input begins at a multiple of this, px."""

    def size(self, length: int) -> int:
        """Length of the output of an input of so many px."""

    def need(self, output: Span) -> Span:
        """The input that decides an output; may reach beyond the axis, where the operation pads."""

    def result(self, given: Span) -> Span:
        """The output that comes of a cropped input; near its cuts the values are of no use."""


@dataclass(frozen=True, slots=True)
class Pixelwise:
    """Each pixel by itself."""

    unit: int = 1

    def size(self, length: int) -> int:
        """The same."""
        return length

    def need(self, output: Span) -> Span:
        """The same."""
        return output

    def result(self, given: Span) -> Span:
        """The same."""
        return given


PIXELWISE = Pixelwise()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding:
    """A window that slides over the input: convolution and pooling."""

    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def unit(self) -> int:
        """The stride: windows begin where they would in the whole."""
        return self.stride

    @property
    def _reach(self) -> int:
        return self.dilation * (self.kernel - 1)

    def size(self, length: int) -> int:
        """Of windows that fit into the padded input."""
        return (length + 2 * self.padding - self._reach - 1) // self.stride + 1

    def need(self, output: Span) -> Span:
        """From the first window's begin to the last one's end."""
        start = output.start * self.stride - self.padding
        return Span(start, (output.stop - 1) * self.stride - self.padding + self._reach + 1)

    def result(self, given: Span) -> Span:
        """The windows that fit, padding included."""
        start = given.start // self.stride
        return Span(start, start + self.size(given.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transposed:
    """A transposed convolution: each input pixel is spread over a window of the output."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    extra: int
    """``output_padding``."""
    unit: int = 1

    @property
    def _reach(self) -> int:
        return self.dilation * (self.kernel - 1)

    def size(self, length: int) -> int:
        """All windows, without the padding."""
        return (length - 1) * self.stride - 2 * self.padding + self._reach + self.extra + 1

    def need(self, output: Span) -> Span:
        """Every pixel whose window touches the output."""
        start = -((self._reach - output.start - self.padding) // self.stride)
        return Span(start, (output.stop - 1 + self.padding) // self.stride + 1)

    def result(self, given: Span) -> Span:
        """Begins with the first pixel's window."""
        start = given.start * self.stride
        return Span(start, start + self.size(given.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarged:
    """Upsampling by a whole factor, without aligned corners."""

    factor: int
    reach: int
    """Pixels on each side between which is interpolated: 0 nearest, 1 linear, 2 cubic."""
    unit: int = 1

    def size(self, length: int) -> int:
        """So many times as long."""
        return length * self.factor

    def need(self, output: Span) -> Span:
        """The pixels under the output, and those beside them."""
        return Span(output.start // self.factor, (output.stop - 1) // self.factor + 1).grow(self.reach)

    def result(self, given: Span) -> Span:
        """So many times as long."""
        return Span(given.start * self.factor, given.stop * self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """Pixels are put around the image: zeros, its mirror image or its last pixel."""

    before: int
    after: int
    unit: int = 1

    def size(self, length: int) -> int:
        """Longer by both."""
        return length + self.before + self.after

    def need(self, output: Span) -> Span:
        """The pixels under the output, and those beside them: a mirrored one lies twice as far away as its edge."""
        moved = Span(output.start - self.before, output.stop - self.before)
        return moved.grow(2 * max(self.before, self.after))

    def result(self, given: Span) -> Span:
        """Longer by both."""
        return Span(given.start, given.stop + self.before + self.after)
