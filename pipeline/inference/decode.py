"""Logits to class indices and probabilities, on the device."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

import torch

from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.winner import largest_class
from pipeline.models.probabilities import activated


class DecodedTile:
    """What the logits of a tile say; each part is computed once, when a layer first asks for it."""

    def __init__(self, logits: torch.Tensor, decoding: ClassDecoding, variance: torch.Tensor | None = None) -> None:
        """Take (classes, rows, cols) float32 logits, and how far several networks are apart in each, where known."""
        self.logits = logits
        self.decoding = decoding
        self.variance = variance

    @cached_property
    def p(self) -> torch.Tensor:
        """(channels, rows, cols) float32 probabilities."""
        return channel_probabilities(self.logits, self.decoding)

    @property
    def numbers(self) -> torch.Tensor:
        """(channels, rows, cols) float32: what the network returns; where it means no classes, after the activation."""
        return self.logits if self.decoding.codes else self.p

    @cached_property
    def certainty(self) -> torch.Tensor:
        """(rows, cols) float32 probability of the chosen class."""
        return certainty(self.p, self.decoding)

    @property
    def codes(self) -> torch.Tensor:
        """(rows, cols) int64 or narrower: the code of the chosen class."""
        return codes(self.index, self.decoding)

    @cached_property
    def index(self) -> torch.Tensor:
        """(rows, cols) uint8 or int32: the chosen class, by its place in the codes."""
        return class_indices(self.logits, self.decoding)


def channel_probabilities(logits: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """(classes, rows, cols) float32 logits → probabilities of the same shape."""
    return activated(logits, decoding.activation, decoding.temperature)


def class_indices(logits: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """The winning class, (rows, cols) uint8, or int32 of more than 256 classes; ties go to the lower class."""
    if len(logits) == 1:
        return _bins(channel_probabilities(logits, decoding)[0], decoding)
    if isinstance(decoding.threshold, tuple):
        return _argmax_above_threshold(logits, decoding)
    index = largest_class(logits).to(_index_dtype(decoding))
    if decoding.background is not None:
        best = logits.amax(0)
        index.masked_fill_(channel_probabilities(best, decoding) < decoding.threshold, decoding.background)
    return index


def certainty(p: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """Probability of the winning class, (rows, cols) float32: max(p, 1−p) for one channel.

    For a background without one, 1 − the largest p.
    """
    if len(p) == 1:
        return torch.maximum(p[0], 1 - p[0])
    top = p.amax(0)
    if decoding.background is None:
        return top
    otherwise = p[decoding.background] if decoding.background < len(p) else 1 - top
    if not isinstance(decoding.threshold, tuple):
        return torch.where(top < decoding.threshold, otherwise, top)
    reached = torch.zeros_like(top)
    for plane, threshold in zip(p, decoding.threshold, strict=True):
        # a 0 for `where` would be brought to a GPU, which waits
        reached = torch.maximum(reached, plane.masked_fill(~(plane >= threshold), 0))
    return torch.where(reached > 0, reached, otherwise)


def class_probabilities(p: torch.Tensor, decoding: ClassDecoding) -> Iterator[torch.Tensor]:
    """Probabilities, (rows, cols) float32 each, in the order of `Decoding.outcomes`.

    For a background without a channel, 1 − the largest p.
    """
    if len(p) == 1:
        yield 1 - p[0]
        yield p[0]
        return
    for k in decoding.outcomes:
        yield p[k] if k < len(p) else 1 - p.amax(0)


def codes(index: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """Class indices → class codes, (rows, cols)."""
    if decoding.codes == tuple(range(len(decoding.codes))):
        return index
    return _table(decoding.codes, index.device)[index.to(torch.int64)]


@lru_cache(maxsize=16)
def _table(codes: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """The codes on a device, brought there once: bringing them waits for all that the device was asked for."""
    return torch.tensor(codes, dtype=torch.int64, device=device)


def _bins(p: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """How many thresholds a probability lies above."""
    index = torch.zeros(p.shape, dtype=_index_dtype(decoding), device=p.device)
    for threshold in decoding.threshold if isinstance(decoding.threshold, tuple) else (decoding.threshold,):
        index += p > threshold
    return index


def _argmax_above_threshold(logits: torch.Tensor, decoding: ClassDecoding) -> torch.Tensor:
    """The winner among the channels that reach each its own threshold, else the background."""
    assert isinstance(decoding.threshold, tuple)
    assert decoding.background is not None
    best = torch.full_like(logits[0], -torch.inf)
    index = torch.full(best.shape, decoding.background, dtype=_index_dtype(decoding), device=best.device)
    for k, threshold in enumerate(decoding.threshold):
        better = (logits[k] > best) & (channel_probabilities(logits[k], decoding) >= threshold)
        index.masked_fill_(better, k)
        best = torch.where(better, logits[k], best)
    return index


def _index_dtype(decoding: ClassDecoding) -> torch.dtype:
    return torch.uint8 if len(decoding.codes) <= 256 else torch.int32
