"""What an evaluation found: counts, and the numbers made of them."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.quality.evaluate.boundary_f1 import Boundaries
from pipeline.quality.evaluate.confusion import Confusion, PerClass, mean
from pipeline.store.spec import ClassRow


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was counted."""

    classes: tuple[ClassRow, ...]
    """Those that are judged: all but those of role ``ignore``."""
    confusion: Confusion
    boundaries: Boundaries
    nodata: int
    """Labelled pixels that the mask leaves as nodata; misses."""
    ignored: int
    """Labelled pixels whose prediction is a class of role ``ignore``; misses."""
    committed: int
    """Blocks of the store that are committed."""
    blocks: int
    """Blocks of the store."""

    def columns(self) -> dict[str, PerClass]:
        """What is said of each class, (classes,) each."""
        confusion = self.confusion
        return {
            "iou": confusion.iou(),
            "f1": confusion.f1(),
            "precision": confusion.precision(),
            "recall": confusion.recall(),
            "boundary_f1": self.boundaries.f1(),
        }

    def totals(self) -> dict[str, float]:
        """What is said of all classes together."""
        columns = self.columns()
        return {
            "mean_iou": mean(columns["iou"]),
            "weighted_iou": self.confusion.weighted_iou(),
            "mean_f1": mean(columns["f1"]),
            "mean_boundary_f1": mean(columns["boundary_f1"]),
            "accuracy": self.confusion.accuracy(),
            "kappa": self.confusion.kappa(),
        }
