"""Where each class lies: how often it occurs in every block of every scene.

Labels are read once, a block at a time, and never held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, LabelsError
from pipeline.store.spec import ClassRow
from pipeline.train.scenes import UNKNOWN_INDEX, Cell, Scene

_DRAWS = 256
"""Choices of held-out blocks of which the fairest is taken."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassCounts:
    """Counts of every class in every block that has a label."""

    scenes: tuple[Scene, ...]
    places: tuple[tuple[int, Cell], ...]
    """(scene, block) of each row of the counts."""
    counts: Counts
    """(blocks, classes) px."""

    @cached_property
    def shares(self) -> list[npt.NDArray[np.float64]]:
        """Of each class, and last of all together.

        (blocks,) share of the labelled pixels that lie in a block or before it.
        """
        running = [np.cumsum(counts / max(counts.sum(), 1)) for counts in (*self.counts.T, self.counts.sum(1))]
        return [share / max(share[-1], 1e-300) for share in running]

    @cached_property
    def present(self) -> Counts:
        """Classes that have pixels."""
        return np.flatnonzero(self.total)

    @property
    def total(self) -> Counts:
        """(classes,) px."""
        return np.asarray(self.counts.sum(0))


def count_classes(scenes: Sequence[Scene], table: npt.NDArray[np.uint8], classes: int) -> ClassCounts:
    """Count the classes of all scenes.

    Parameters
    ----------
    scenes
        All cut by blocks of one size.
    table
        Class code → index, as `scenes.indices` makes it.
    classes
        How many indices there are.

    Raises
    ------
    LabelsError
        Labels hold what is no class, or a scene has none at all.
    """
    places: list[tuple[int, Cell]] = []
    counts: list[Counts] = []
    for number, scene in enumerate(scenes):
        start = len(places)
        for cell in scene.cells(scene.area):
            block_counts = np.bincount(
                table[scene.label_codes(scene.window(cell))].ravel(), minlength=UNKNOWN_INDEX + 1
            )[:classes]
            if block_counts.any():
                places.append((number, cell))
                counts.append(block_counts)
        if len(places) == start:
            raise LabelsError(
                f"The labels of {scene.name} know nothing of it{_part(scene)}. Give labels of this place, "
                f"or leave the scene out."
            )
    return ClassCounts(scenes=tuple(scenes), places=tuple(places), counts=np.array(counts, dtype=np.int64))


def complete(class_counts: ClassCounts, classes: Sequence[ClassRow]) -> None:
    """Raise LabelsError where a class has no pixel to learn from."""
    empty = [
        row.name for row, pixels in zip(classes, class_counts.total, strict=True) if not pixels and row.role != "ignore"
    ]
    if empty:
        raise LabelsError(
            f"No pixel of the training scenes is labelled {' or '.join(empty)}, so the network cannot learn "
            f"{'it' if len(empty) == 1 else 'them'}. "
            "Give labels that have every class, or leave it out of model.classes."
        )


def part(class_counts: ClassCounts, share: float, seed: int) -> tuple[ClassCounts, ClassCounts]:
    """Hold out a share of the blocks: of many draws, that in which every class is held out most nearly by that share.

    Scenes of one ground (the same grid) hold out the same blocks: what judges in one date does not teach in another.

    Returns
    -------
    tuple
        What teaches, its scenes hiding the held-out labels, and what judges.

    Raises
    ------
    ConfigError
        There are fewer than two blocks.
    """
    grounds = [scene.ground for scene in class_counts.scenes]
    numbers: dict[object, int] = {}
    block_of = np.array(
        [numbers.setdefault((grounds[scene], cell), len(numbers)) for scene, cell in class_counts.places]
    )
    blocks = len(numbers)
    if blocks < 2:
        raise ConfigError(
            f"One labelled block of {class_counts.scenes[0].block} px is all there is, and cannot both "
            f"teach and judge. Set training.validation.block smaller, "
            "or give training.validation.scenes."
        )
    rng, number = np.random.default_rng([seed, 1]), min(max(round(share * blocks), 1), blocks - 1)
    draws = (np.isin(block_of, rng.permutation(blocks)[:number]) for _ in range(_DRAWS))
    validation_mask = min(draws, key=lambda chosen: _unfairness(class_counts, chosen, share))
    hidden = {
        (grounds[scene], cell) for (scene, cell), out in zip(class_counts.places, validation_mask, strict=True) if out
    }
    teaching = tuple(
        replace(scene, validation_cells=frozenset(cell for ground, cell in hidden if ground == scene.ground))
        for scene in class_counts.scenes
    )
    return replace(_subset(class_counts, ~validation_mask), scenes=teaching), _subset(class_counts, validation_mask)


def _unfairness(class_counts: ClassCounts, chosen: npt.NDArray[np.bool_], share: float) -> float:
    present = class_counts.total > 0
    return float(np.abs(class_counts.counts[chosen].sum(0)[present] / class_counts.total[present] - share).max())


def _subset(class_counts: ClassCounts, mask: npt.NDArray[np.bool_]) -> ClassCounts:
    return replace(
        class_counts,
        places=tuple(place for place, keep in zip(class_counts.places, mask, strict=True) if keep),
        counts=class_counts.counts[mask],
    )


def _part(scene: Scene) -> str:
    whole = scene.area.pixels == scene.image.grid.height * scene.image.grid.width
    return "" if whole else f" within {scene.area}"
