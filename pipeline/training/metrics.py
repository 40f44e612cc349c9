"""How well a mask agrees with labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Confusion:
    """Counts of (label, prediction), added up a window at a time."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, label: npt.NDArray[np.unsignedinteger], mask: npt.NDArray[np.unsignedinteger]) -> None:
        """Count one window. Pixels whose label or prediction is no class (nodata, unlabelled) are left out."""
        classes = len(self.counts)
        known = (label < classes) & (mask < classes)
        pairs = label[known].astype(np.int64) * classes + mask[known]
        self.counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union per class, (classes,); NaN for a class that is neither labelled nor predicted."""
        hit = np.diag(self.counts)
        union = self.counts.sum(0) + self.counts.sum(1) - hit
        return np.where(union > 0, hit / np.maximum(union, 1), np.nan)
