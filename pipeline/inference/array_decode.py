"""Logits to classes and probabilities, in the memory of the process and without torch.

The same as `pipeline.inference.decode` up to rounding, where one class excludes the others.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.plane_winner import MAX_BYTE_CLASSES, WinnerScratch
from pipeline.store.layers import LayerSpec

Planes = npt.NDArray[np.float32]
"""(classes, rows, cols)."""
ARRAY_LAYERS = ("mask", "confidence", "probabilities")
"""Layers that are made so."""


class DecodedArrays:
    """What the logits of some rows say; each part is computed once, when a layer first asks for it."""

    def __init__(self, logits: Planes, decoding: ClassDecoding) -> None:
        """Take (classes, rows, cols) float32 logits."""
        self.logits, self.decoding = logits, decoding

    @cached_property
    def probabilities(self) -> Planes:
        """(classes, rows, cols) float32 of each channel."""
        if self.decoding.activation == "none":
            return self.logits
        if self.decoding.activation == "sigmoid":
            with np.errstate(over="ignore"):  # exp of a large number is infinite, and 1 / infinity 0
                return np.asarray(np.reciprocal(1 + np.exp(-self._scaled)))
        return np.asarray(self._exponentials / self._exponentials.sum(0))

    @cached_property
    def certainty(self) -> npt.NDArray[np.float32]:
        """(rows, cols) float32 probability of the chosen class."""
        if len(self.logits) == 1:
            return np.asarray(np.maximum(self.probabilities[0], 1 - self.probabilities[0]))
        if self.decoding.activation == "softmax":  # the exponential of the largest is 1
            return np.asarray(np.reciprocal(self._exponentials.sum(0)))
        return np.asarray(self.probabilities.max(0))

    @cached_property
    def codes(self) -> npt.NDArray[Any]:
        """(rows, cols) of some integer dtype: the code of the chosen class."""
        codes = self.decoding.codes
        return self._index if codes == tuple(range(len(codes))) else np.array(codes, dtype=np.int64)[self._index]

    @property
    def _index(self) -> npt.NDArray[Any]:
        """(rows, cols): the chosen class, by its place in the codes; ties go to the lower one."""
        classes, rows, cols = self.logits.shape
        if classes == 1:
            return np.asarray(self.probabilities[0] > self.decoding.threshold).astype(np.uint8)
        if classes > MAX_BYTE_CLASSES:
            return np.asarray(self.logits.argmax(0))
        winner = np.empty((rows, cols), dtype=np.uint8)
        WinnerScratch(rows, cols).find_winner(self.logits, winner)
        return winner

    @cached_property
    def _exponentials(self) -> Planes:
        """Those of a softmax, of which the largest of each pixel is 1."""
        return np.asarray(np.exp(self._scaled - self._scaled.max(0)))

    @cached_property
    def _scaled(self) -> Planes:
        return self.logits if self.decoding.temperature == 1 else self.logits / np.float32(self.decoding.temperature)

    def layer(self, spec: LayerSpec, least: float) -> npt.NDArray[Any]:
        """A layer of `ARRAY_LAYERS`.

        Parameters
        ----------
        spec
            What it is on disk.
        least
            ``output.min_confidence``.

        Returns
        -------
        array
            ([classes,] rows, cols) of its dtype.
        """
        if spec.name == "confidence":
            return np.rint(self.certainty.clip(0, 1) * np.float32(255)).astype(np.uint8)
        if spec.name == "probabilities":
            return self._stored_probabilities(spec)
        codes = self.codes.astype(spec.dtype)
        if least:
            codes[self.certainty < least] = int(spec.fill)
        return codes

    def _stored_probabilities(self, spec: LayerSpec) -> npt.NDArray[Any]:
        """(classes, rows, cols) in the order of the class table: round(255·p) as uint8, or p as float16."""
        p = self.probabilities
        planes = np.concatenate([1 - p, p]) if len(p) == 1 else p[list(self.decoding.outcomes)]
        planes = planes.clip(0, 1)
        return (
            planes.astype(spec.dtype) if spec.dtype == "float16" else np.rint(planes * np.float32(255)).astype(np.uint8)
        )
