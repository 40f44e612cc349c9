"""How well a mask agrees with labels, pixel by pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PerClass = npt.NDArray[np.float64]
"""(classes,); NaN where a class gives nothing to judge."""


class Confusion:
    """Counts of (label, prediction), added up a window at a time."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes + 1), dtype=np.int64)
        """Rows are labels, columns predictions; the last column is of labelled pixels that got no prediction."""

    def add(self, label: npt.NDArray[np.unsignedinteger], mask: npt.NDArray[np.unsignedinteger]) -> None:
        """Count one window of the labelled pixels.

        A prediction that is no class (nodata) is a miss: holes must not improve a mask.
        """
        classes = len(self.counts)
        valid = label < classes
        pairs = label[valid].astype(np.int64) * (classes + 1) + np.minimum(mask[valid], classes)
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    @property
    def pixels(self) -> int:
        """Labelled pixels."""
        return int(self.counts.sum())

    @property
    def unpredicted(self) -> int:
        """Labelled pixels that got no prediction."""
        return int(self.counts[:, -1].sum())

    @property
    def hits(self) -> npt.NDArray[np.int64]:
        """(classes,) pixels whose prediction is their label."""
        return np.diag(self.counts[:, :-1])

    @property
    def labelled(self) -> npt.NDArray[np.int64]:
        """(classes,) pixels by label."""
        return np.asarray(self.counts.sum(1))

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(classes,) labelled pixels by prediction."""
        return np.asarray(self.counts[:, :-1].sum(0))

    def iou(self) -> PerClass:
        """Intersection over union; NaN for a class that is neither labelled nor predicted."""
        return ratio(self.hits, self.labelled + self.predicted - self.hits)

    def f1(self) -> PerClass:
        """Harmonic mean of precision and recall, which is Dice's coefficient; NaN as for the IoU."""
        return ratio(2 * self.hits, self.labelled + self.predicted)

    def precision(self) -> PerClass:
        """Share of a class's predictions that are right; NaN where it is never predicted."""
        return ratio(self.hits, self.predicted)

    def recall(self) -> PerClass:
        """Share of a class's labels that are found; NaN where it is never labelled."""
        return ratio(self.hits, self.labelled)

    def weighted_iou(self) -> float:
        """IoU of each class by its share of the labels (Long et al. 2015); NaN without labels."""
        return float(ratio(np.nansum(self.iou() * self.labelled), self.pixels))

    def accuracy(self) -> float:
        """Share of the labelled pixels that are right; NaN without labels."""
        return float(ratio(self.hits.sum(), self.pixels))

    def kappa(self) -> float:
        """Agreement beyond chance (Cohen 1960); NaN without labels, or where chance alone agrees on everything."""
        chance = float(ratio((self.labelled / max(self.pixels, 1) * self.predicted).sum(), self.pixels))
        return float(ratio(self.accuracy() - chance, 1 - chance))


def ratio(part: npt.ArrayLike, total: npt.ArrayLike) -> PerClass:
    """A quotient; NaN where nothing is divided by nothing."""
    divisor = np.asarray(total, dtype=np.float64)
    return np.asarray(
        np.divide(np.asarray(part, dtype=np.float64), divisor, out=np.full(divisor.shape, np.nan), where=divisor != 0)
    )


def mean(values: PerClass) -> float:
    """Mean over the classes that there is something to judge of; NaN where there is none."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else float("nan")
