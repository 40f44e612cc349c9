"""Sizes and bands that all inputs of a network take alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce

from pipeline.errors import BandsError, ModelError
from pipeline.interfaces import InputConstraints


def common_constraints(accepts: Mapping[str, InputConstraints], place: object) -> InputConstraints:
    """Sizes that every input takes, since all see one window of one grid.

    Parameters
    ----------
    accepts
        By the name of the input.
    place
        What the network is loaded from, for the message.

    Raises
    ------
    ModelError
        There is no such size, or the batches differ.
    """
    common = reduce(_both, accepts.values())
    batches = {one.batch for one in accepts.values()} - {None}
    fits = common.maximum is None or common.maximum // common.multiple * common.multiple >= common.minimum
    if not fits or len(batches) > 1:
        sizes = "; ".join(f"{name} {_sizes_text(one)}" for name, one in accepts.items())
        raise ModelError(
            f"The network in {place} takes inputs of unlike sizes: {sizes}. All inputs see the same pixels: export it "
            f"with one batch and one size for all, and let it scale what it needs otherwise."
        )
    return common


def require_input_bands(declared: int | None, bands: int, name: str, place: object) -> None:
    """Raise BandsError where the file of a network says another number of bands for an input.

    Parameters
    ----------
    declared
        By the file; None for any.
    bands
        That are read for it.
    name
        Of the input.
    place
        What the network is loaded from, for the message.
    """
    if declared is not None and declared != bands:
        raise input_bands_error(declared, bands, name, place)


def input_bands_error(expected: int, bands: int, name: str, place: object) -> BandsError:
    """Of an input for which another number of bands is read than it takes."""
    read = f"{bands} bands are read" if bands > 1 else "1 band is read"
    return BandsError(
        f"{read} for the input {name}, but the network in {place} takes {expected} there. Choose them "
        f"with model.inputs.{name}.bands, in its order (source.bands where the section source is this input).",
        expected,
        name,
    )


def no_image_error(name: str, shape: str, place: object) -> ModelError:
    """Of an input that takes no images."""
    return ModelError(
        f"The network in {place} takes {shape} as its input {name}; an input must take images of (batch, bands, rows, "
        f"cols). Export the network alone, with everything else as constants."
    )


def _both(first: InputConstraints, second: InputConstraints) -> InputConstraints:
    return InputConstraints(
        minimum=max(first.minimum, second.minimum),
        maximum=min((one.maximum for one in (first, second) if one.maximum is not None), default=None),
        multiple=math.lcm(first.multiple, second.multiple),
        batch=first.batch if second.batch is None else second.batch,
    )


def _sizes_text(accepts: InputConstraints) -> str:
    most = "" if accepts.maximum is None else f" to {accepts.maximum}"
    batch = "" if accepts.batch is None else f" in batches of {accepts.batch}"
    return f"from {accepts.minimum}{most} px in multiples of {accepts.multiple}{batch}"
