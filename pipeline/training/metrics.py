"""How well a mask agrees with labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Confusion:
    """Counts of (label, prediction), added up a window at a time."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes + 1), dtype=np.int64)
        """Rows are labels, columns predictions; the last column is of labelled pixels that got no prediction."""

    def add(self, label: npt.NDArray[np.unsignedinteger], mask: npt.NDArray[np.unsignedinteger]) -> None:
        """Count one window of the labelled pixels. A prediction that is no class (nodata) is a miss: holes must not improve a mask."""
        classes = len(self.counts)
        known = label < classes
        pairs = label[known].astype(np.int64) * (classes + 1) + np.minimum(mask[known], classes)
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union per class, (classes,); NaN for a class that is neither labelled nor predicted."""
        predicted = self.counts[:, :-1]
        hit = np.diag(predicted)
        union = predicted.sum(0) + self.counts.sum(1) - hit
        return np.where(union > 0, hit / np.maximum(union, 1), np.nan)
