"""Raw integers to the network's input, on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InferenceError
from pipeline.inference.colour_transfer import ColourTransfer
from pipeline.models.input_transform import TRANSFORM_KEY, Transform

if TYPE_CHECKING:
    import torch


Parts = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """(raw − shift) / span per band, by numbers of the raster itself, before all else; clipped to 0…1 where asked."""

    shift: tuple[float, ...]
    """The low end, or the mean."""
    span: tuple[float, ...]
    """From the low to the high end, or the deviation, and the small number that is added; above 0."""
    clip: bool
    record: dict[str, Any]
    """How the numbers were found, and the numbers, as plain values: what the fingerprint has."""
    provisional: bool = False
    """Whether they are of a few windows alone, until a pass over the raster finds them."""

    def apply_to(self, x: torch.Tensor) -> None:
        """Change (channels, rows, cols) float32 in place."""
        for band, shift, span in zip(x, self.shift, self.span, strict=True):
            band.sub_(shift).div_(span)
        if self.clip:
            x.clamp_(0.0, 1.0)


Adjustment = Stretch | ColourTransfer
"""What numbers of the raster itself do to its pixels, before all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """(raw·scale + offset − mean) / std, per band; of what a transform makes of the raw pixels, where there is one."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    transform: Transform | None = None
    stretch: Adjustment | None = None
    """What is done between the transform and the rest."""
    repeats: int = 1
    """How often the bands stand one after the other, each time with numbers of their own."""

    @property
    def channels(self) -> int:
        """Bands of the network's input."""
        return len(self.scale)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the fingerprint."""
        per_band = {
            "scale": list(self.scale),
            "offset": list(self.offset),
            "mean": list(self.mean),
            "std": list(self.std),
        }
        return {
            **per_band,
            "transform": None if self.transform is None else self.transform.identity(),
            "normalise": None if self.stretch is None else self.stretch.record,
        }


def normalise(
    data: torch.Tensor, valid: torch.Tensor | None, normalisation: Normalisation, device: torch.device
) -> torch.Tensor:
    """Normalise one tile; invalid pixels become 0.

    Parameters
    ----------
    data
        (bands, rows, cols), any integer or float dtype. Travels to the device as it is, where it is not there yet.
    valid
        (rows, cols) bool; None where all are.

    Returns
    -------
    torch.Tensor
        (1, channels, rows, cols) float32.

    Raises
    ------
    InferenceError
        The transform fails, or gives a valid pixel no number.
    """
    import torch

    x = data.to(device).to(torch.float32, copy=True)
    if normalisation.transform is not None:
        x = normalisation.transform(x)
    if normalisation.stretch is not None:
        normalisation.stretch.apply_to(x)
    if normalisation.repeats > 1:
        x = x.repeat(normalisation.repeats, 1, 1)
    for band, (scale, offset, mean, std) in zip(
        x,
        zip(normalisation.scale, normalisation.offset, normalisation.mean, normalisation.std, strict=True),
        strict=True,
    ):
        for apply, operand, neutral in (
            (band.mul_, scale, 1),
            (band.add_, offset, 0),
            (band.sub_, mean, 0),
            (band.div_, std, 1),
        ):
            if operand != neutral:
                apply(operand)
    if valid is not None:
        x.masked_fill_(~valid.to(device), 0.0)
    if normalisation.transform is not None and not torch.isfinite(x).all():
        raise InferenceError(
            f"{TRANSFORM_KEY} {normalisation.transform.place} gives NaN or infinity for valid pixels of a "
            f"tile of {x.shape[1]}×{x.shape[2]} px"
        )
    return x.unsqueeze(0)


def pooled(counts: Parts, means: Parts, variances: Parts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of all pixels, from those of parts; nothing is lost where values lie far from 0.

    Parameters
    ----------
    counts
        (parts,) valid pixels.
    means, variances
        (parts, bands).

    Returns
    -------
    tuple
        (bands,) each.
    """
    mean = np.average(means, axis=0, weights=counts)
    return mean, np.sqrt(np.average(variances + (means - mean) ** 2, axis=0, weights=counts))
