"""The layers of a store: how each is made of a tile's logits, by one function and its row in `KINDS`.

What a layer is on disk is in `pipeline.store.layers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.config.families import LAYER_KINDS
from pipeline.geometry.window import Window
from pipeline.inference import decode
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.decode import DecodedTile
from pipeline.inference.recipe import Recipe
from pipeline.store.layers import ENTROPY_ONE, LayerSpec
from pipeline.store.values import ValuesSpec


def mask(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """(rows, cols) codes; nodata where the chosen class is less probable than ``least``."""
    codes = answer.codes
    if least:
        codes = codes.to(torch.int32).masked_fill(answer.certainty < least, int(of.fill))
    return codes.to(getattr(torch, of.dtype))


def confidence(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """(rows, cols) uint8, round(255·p) of the chosen class; also where the mask passes over a pixel for it."""
    return answer.certainty.clamp(0, 1).mul(255).round().to(torch.uint8)


def probabilities(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """(classes, rows, cols) in the order of the class table: round(255·p) as uint8, or p as float16.

    Classes are converted one by one.
    """
    made = torch.empty(of.shape(*answer.logits.shape[1:]), dtype=getattr(torch, of.dtype), device=answer.logits.device)
    for plane, p in zip(made, decode.class_probabilities(answer.p, answer.decoding), strict=True):
        p = p.clamp(0, 1)
        plane.copy_(p if of.dtype == "float16" else p.mul(255).round())
    return made


def entropy(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """(rows, cols) uint8: 0 where the network is certain, 254 where all classes are equally probable."""
    return shannon_entropy(answer).clamp(0, 1).mul(ENTROPY_ONE).round().to(torch.uint8)


def shannon_entropy(answer: DecodedTile) -> torch.Tensor:
    """Shannon's entropy H = −Σ p·log p, divided by its maximum.

    Where classes exclude each other, the sum runs over the C classes, and the maximum is log C. One channel is two
    classes, p and 1 − p. Where several classes may hold at once, each channel is a question of its own: the mean of
    their binary entropies.

    Returns
    -------
    torch.Tensor
        (rows, cols) float32 within 0–1.

    References
    ----------
    Shannon 1948, A Mathematical Theory of Communication, section 6.
    """
    p, total = answer.p, torch.zeros_like(answer.logits[0])
    binary = len(p) == 1 or answer.decoding.background is not None
    for plane in p:  # class by class: a term for all of them at once would double what the device holds
        plane = plane.clamp(0, 1)
        total += torch.special.entr(plane)
        if binary:
            total += torch.special.entr(1 - plane)
    return total / (len(p) * math.log(2) if binary else math.log(len(p)))


def values(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """(channels, rows, cols) numbers of the network in the dtype of the layer, clipped to what that holds.

    Of integers round((number − offset) / scale), and one step further where that would be nodata. Channels are
    converted one by one.
    """
    numbers, spec = answer.numbers, _values_spec(of)
    if not spec.clips:
        return numbers
    made = torch.empty(numbers.shape, dtype=getattr(torch, of.dtype), device=numbers.device)
    low, high = spec.limits
    for k, plane in enumerate(numbers):
        steps = _steps(plane, spec, k).clamp(low, high)
        if spec.nodata is not None:
            steps = steps.masked_fill(steps == spec.nodata, spec.beside_nodata)
        made[k].copy_(steps)
    return made


def variance(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    """How far several networks are apart: the weighted variance Σ wₘ·(pₘ − p)² about their mean p, float32.

    Of the probability of the chosen class, (rows, cols); a background without a channel has that of the likeliest
    channel. Of a network without classes that of each channel, (channels, rows, cols).
    """
    assert answer.variance is not None, "a store has the layer only of several networks"
    if of.planes is not None:
        return answer.variance
    if len(answer.variance) == 1:
        return answer.variance[0]
    channel = answer.index.to(torch.int64)
    if answer.decoding.background is not None:
        channel = torch.where(channel < len(answer.logits), channel, answer.logits.argmax(0))
    return answer.variance.gather(0, channel[None])[0]


def clipped(answer: DecodedTile, recipe: Recipe, wanted: torch.Tensor) -> torch.Tensor:
    """How many wanted pixels of each channel lie beyond what the layer of values holds, or would be nodata.

    Parameters
    ----------
    answer
        What the logits of a tile say.
    recipe
        Of a job with values.
    wanted
        (rows, cols) bool, on the same device.

    Returns
    -------
    torch.Tensor
        (channels,) int64, on the device.
    """
    spec = recipe.values
    low, high = spec.limits
    counts = []
    for k, plane in enumerate(answer.numbers):
        steps = _steps(plane, spec, k)
        beyond = (steps < low) | (steps > high)
        if spec.nodata is not None:
            beyond |= steps == spec.nodata
        counts.append((beyond & wanted).sum())
    return torch.stack(counts)


def _steps(plane: torch.Tensor, spec: ValuesSpec, channel: int) -> torch.Tensor:
    """(rows, cols) float32 numbers of a channel as they would be stored if the dtype had no end."""
    if spec.nodata is None:
        return plane
    return plane.sub(spec.offset[channel]).div(spec.scale[channel]).round()


def _values_spec(of: LayerSpec) -> ValuesSpec:
    assert of.values is not None, "the layer holds the numbers of a network"
    return of.values


KINDS: dict[str, Callable[[DecodedTile, LayerSpec, float], torch.Tensor]] = {
    "mask": mask,
    "confidence": confidence,
    "probabilities": probabilities,
    "entropy": entropy,
    "values": values,
    "variance": variance,
}
"""Each takes what a tile's logits say, the layer, and ``output.min_confidence``; gives ([classes or channels,] rows,
cols) on the device."""
LAYER_KINDS.register(KINDS)


def filled(window: Window, recipe: Recipe) -> dict[str, npt.NDArray[Any]]:
    """The layers of a window of which nothing is known, each ([classes,] rows, cols) of its fill value."""
    return {
        name: np.full(of.shape(window.height, window.width), of.fill, dtype=of.dtype)
        for name, of in recipe.layer_specs.items()
    }


def allocate(window: Window, recipe: Recipe, device: torch.device) -> dict[str, torch.Tensor]:
    """Where the layers of a window go, each ([classes,] rows, cols) of anything."""
    specs = recipe.layer_specs.items()
    shapes = {name: (of.shape(window.height, window.width), getattr(torch, of.dtype)) for name, of in specs}
    return {name: torch.empty(shape, dtype=dtype, device=device) for name, (shape, dtype) in shapes.items()}


def compute_layers(logits: torch.Tensor, how: ClassDecoding, recipe: Recipe) -> Iterator[tuple[str, torch.Tensor]]:
    """The layers of a tile, on the device.

    Parameters
    ----------
    logits
        (channels, rows, cols) float32, on the device; with the variance of several networks twice as many channels.
    how
        What they mean: the decoding of the recipe, but for tiles whose probabilities were blended.
    recipe
        Which layers, and of what dtypes.

    Yields
    ------
    tuple
        Name and ([classes,] rows, cols) of each, one after the other: one layer is there at a time, beside logits and
        probabilities.
    """
    numbers = recipe.answer_of(logits)
    answer = DecodedTile(numbers, how, logits[len(numbers) :] if recipe.has_variance else None)
    return ((name, KINDS[name](answer, of, recipe.min_confidence)) for name, of in recipe.layer_specs.items())


def decoded(logits: torch.Tensor, how: ClassDecoding, recipe: Recipe) -> dict[str, npt.NDArray[Any]]:
    """The same in the memory of the process."""
    return {name: values.cpu().numpy() for name, values in compute_layers(logits, how, recipe)}
