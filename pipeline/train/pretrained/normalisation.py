"""The normalisation that torchvision's weights were trained with."""

from __future__ import annotations

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of red, green and blue between 0 and 1, over ImageNet (torchvision's documentation of its weights)."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""As above."""


def imagenet(bands: int = 3, scale: float = 1 / 255) -> dict[str, float | list[float]]:
    """What ``model.input`` should say for torchvision's weights.

    Parameters
    ----------
    bands
        3 for red, green and blue in this order. Any other number gets the mean of the three for each, as its first convolution does.
    scale
        What takes raw values to between 0 and 1; 1/255 for uint8.

    Raises
    ------
    ValueError
        There are no bands, or the scale is not above 0.
    """
    if bands < 1 or not scale > 0:
        raise ValueError(f"bands must be at least 1 and scale above 0, not {bands} and {scale}")
    mean, std = (list(values) if bands == 3 else [sum(values) / 3] * bands for values in (IMAGENET_MEAN, IMAGENET_STD))
    return {"scale": scale, "mean": mean, "std": std}
