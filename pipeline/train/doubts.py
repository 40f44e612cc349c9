"""What a training may be told of before it begins: what it cannot do, and what it can but hardly should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from pipeline.config import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.store.spec import ClassRow
from pipeline.train.class_counts import Atlas
from pipeline.train.scenes import Scene


def several(how: TrainingConfig, network: nn.Module, judged: Atlas) -> None:
    """Raise ConfigError where several devices cannot train this."""
    if how.devices == 1:
        return
    normed = any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    if normed and (how.freeze or not torch.cuda.is_available()):
        why = "training.freeze holds their statistics" if how.freeze else "on the CPU their statistics cannot be shared"
        raise ConfigError(f"training.devices is {how.devices}, but the network has batch norms and {why}. Set training.devices: 1, or model.args norm: false.")
    if len(judged.places) < how.devices:
        raise ConfigError(
            f"training.devices is {how.devices}, but only {len(judged.places)} blocks judge, fewer than one for each. Set training.validation.block smaller."
        )


def doubts(taught: Atlas, judged: Atlas, classes: Sequence[ClassRow]) -> Iterator[str]:
    """What the user may not have seen, a line each."""
    unseen = [row.name for row, there, here in zip(classes, taught.total, judged.total, strict=True) if there and not here]
    if unseen:
        yield f"no held-out block is labelled {' or '.join(unseen)}, so nothing is known of how well that is found"
    for one in taught.scenes:
        for other in judged.scenes:
            if not (one.held and one.ground == other.ground) and _meet(one, other):
                yield f"{one.name} teaches of ground on which {other.name} judges, so that the number flatters; give them one grid, or keep them apart"


def _meet(one: Scene, other: Scene) -> bool:
    """Whether two areas share ground, as far as that can be known without warping."""
    if one.image.grid.wkt != other.image.grid.wkt or (one.image.grid.wkt is None and one.name != other.name):
        return False
    (left, bottom, right, top), (west, south, east, north) = one.outline, other.outline
    return left < east and west < right and bottom < north and south < top
