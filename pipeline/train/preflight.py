"""What a training may be told of before it begins: what it cannot do, and what it can but hardly should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from pipeline.config import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.geometry.ground import ALLOWED_RATIO, pixel_metres, size_ratio
from pipeline.runtime.backends import several_devices
from pipeline.store.spec import ClassRow
from pipeline.train.class_counts import ClassCounts
from pipeline.train.scenes import Scene


def check_devices(training: TrainingConfig, network: nn.Module, validation_counts: ClassCounts) -> None:
    """Raise ConfigError where several devices cannot train this."""
    if training.devices == 1:
        return
    normed = any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    if normed and (training.freeze or not several_devices()):
        reason = (
            "training.freeze holds their statistics"
            if training.freeze
            else "on the CPU their statistics cannot be shared"
        )
        raise ConfigError(
            f"training.devices is {training.devices}, but the network has batch norms and {reason}. Set "
            f"training.devices: 1, or model.args norm: false."
        )
    if len(validation_counts.places) < training.devices:
        raise ConfigError(
            f"training.devices is {training.devices}, but only {len(validation_counts.places)} blocks "
            f"judge, fewer than one for each. Set "
            f"training.validation.block smaller."
        )


def training_warnings(
    train_counts: ClassCounts, validation_counts: ClassCounts, classes: Sequence[ClassRow]
) -> Iterator[str]:
    """What the user may not have seen, a line each."""
    sizes = [size for scene in train_counts.scenes if (size := pixel_metres(scene.image.grid)) is not None]
    if sizes and size_ratio(min(sizes), max(sizes)) > ALLOWED_RATIO:
        yield (
            f"the scenes that teach have pixels from {min(sizes):.3g} to {max(sizes):.3g} m, and a network learns "
            f"shapes of one size; source.grid brings scenes to one"
        )
    unseen = [
        row.name
        for row, train_pixels, validation_pixels in zip(
            classes, train_counts.total, validation_counts.total, strict=True
        )
        if train_pixels and not validation_pixels
    ]
    if unseen:
        yield f"no held-out block is labelled {' or '.join(unseen)}, so nothing is known of training well that is found"
    for train_scene in train_counts.scenes:
        for validation_scene in validation_counts.scenes:
            if not (train_scene.validation_cells and train_scene.ground == validation_scene.ground) and _share_ground(
                train_scene, validation_scene
            ):
                yield (
                    f"{train_scene.name} teaches of ground on which {validation_scene.name} judges, so that "
                    f"the number flatters; give them one "
                    f"grid, or keep them apart"
                )


def common_pixel_size(scenes: Sequence[Scene]) -> float | None:
    """Mean pixel size of scenes, m on the ground; None where one has none, or two differ by more than a quarter."""
    sizes = [pixel_metres(scene.image.grid) for scene in scenes]
    stated = [size for size in sizes if size is not None]
    if len(stated) < len(sizes) or size_ratio(min(stated), max(stated)) > ALLOWED_RATIO:
        return None
    return float(f"{sum(stated) / len(stated):.6g}")


def _share_ground(scene: Scene, other: Scene) -> bool:
    """Whether two areas share ground, as far as that can be known without warping."""
    if scene.image.grid.wkt != other.image.grid.wkt or (scene.image.grid.wkt is None and scene.name != other.name):
        return False
    (left, bottom, right, top), (west, south, east, north) = scene.outline, other.outline
    return left < east and west < right and bottom < north and south < top
