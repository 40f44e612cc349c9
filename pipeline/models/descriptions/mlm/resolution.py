"""The size of a pixel in the training."""

from __future__ import annotations

from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.tensors import image_of


def pixel_size_of(description: MlmDescription) -> float | None:
    """Of the bands that the network takes, else of the whole item, m; None where the bands differ, or none is stated.

    Raises
    ------
    ModelError
        The network takes several inputs, or something else than an image.
    """
    names = set(image_of(description).band_names)
    described = [band for band in description.bands if not names or {band.name, band.common_name} & names]
    sizes = {band.gsd for band in described if band.gsd is not None}
    return sizes.pop() if len(sizes) == 1 else description.gsd if not sizes else None
