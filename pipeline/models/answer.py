"""What a network returns for one small image, as it returns it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipeline.interfaces import InputConstraints

if TYPE_CHECKING:
    import torch


SIDES = (
    64,
    96,
    128,
    224,
    256,
    384,
    512,
    160,
    192,
    320,
    448,
    480,
    640,
    768,
    1024,
    32,
    48,
    100,
    200,
    240,
    250,
    288,
    299,
    300,
    336,
    400,
    500,
    518,
    572,
    600,
    16,
)
"""Usual sizes, px, in the order in which they are tried: one of them suits nearly every network."""


def output_for_noise(module: torch.nn.Module, bands: int, accepts: InputConstraints, trained: int | None = None) -> Any:
    """What a network returns for one image of seeded noise, of the first size that it takes; None where it takes none.

    Parameters
    ----------
    module
        In eval mode.
    bands
        Of the image.
    accepts
        What its file says of sizes and batch.
    trained
        Training size, px, where it is known: it is tried first.
    """
    import torch

    tensor = next(chain(module.parameters(), module.buffers()), None)
    device = tensor.device if tensor is not None else torch.device("cpu")
    for side in _sides(accepts, trained):
        image = torch.randn((accepts.batch or 1, bands, side, side), generator=torch.Generator().manual_seed(0)).to(
            device
        )
        try:
            with torch.inference_mode():
                return module(image)
        except Exception:  # noqa: S112  # whatever its layers raise, it does not run on this
            continue
    return None


def _sides(accepts: InputConstraints, trained: int | None) -> Iterator[int]:
    if accepts.maximum is not None:
        yield accepts.maximum
        return
    yield from dict.fromkeys(max(side, accepts.minimum) for side in (*([trained] if trained else []), *SIDES))
