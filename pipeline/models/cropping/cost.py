"""What a network costs on an image of which a part is kept: work, and live bytes at the peak."""

from __future__ import annotations

from pipeline.models.cropping.regions import CroppedStep, Regions
from pipeline.models.cropping.steps import ImageStep, Record

WORK_PER_BYTE = 6
"""Multiplications in the time that a byte of an operation's output takes to be written, on CPUs with AVX-512."""


def work(record: Record, regions: Regions) -> float:
    """Multiplications, and what writing takes, counted as such."""
    return float(
        sum(
            cropped.output.pixels * (step.movement.multiplications + (0 if step.fused else WORK_PER_BYTE * step.bytes))
            for step, cropped in zip(record.steps, regions.steps, strict=True)
            if step is not None and cropped is not None
        )
    )


def live_bytes(record: Record, regions: Regions) -> int:
    """Bytes of all images that are there at once, at most, the network's input left out.

    Images live as long as they did while the network was recorded.
    """
    sizes: dict[int, int] = {}
    bytes_per_pixel: dict[int, int] = {}
    peak = 0
    for step, cropped in zip(record.steps, regions.steps, strict=True):
        if step is None or cropped is None:
            continue
        if step.copies:
            sizes[step.output] = cropped.output.pixels * step.bytes
        bytes_per_pixel[step.output] = step.bytes
        peak = max(peak, sum(sizes.values()) + _copied(step, cropped, bytes_per_pixel))
        for image in step.freed:
            sizes.pop(image, None)
    return peak


def _copied(step: ImageStep, cropped: CroppedStep, bytes_per_pixel: dict[int, int]) -> int:
    """Bytes of cut images that kernels lay side by side for themselves; joining does not."""
    if step.movement.joins:
        return 0
    images = zip(step.inputs, cropped.inputs, cropped.present, strict=True)
    return sum(
        given.pixels * bytes_per_pixel.get(image, 0) for (_, image), given, present in images if given != present
    )
