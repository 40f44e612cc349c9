"""What a network returns: checked, and known for what it is, before the first block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.output.last_operations import Ending, ending
from pipeline.inspect.output.origin import Recorder
from pipeline.interfaces import Locality
from pipeline.models.output import THREE_DIMENSIONS, chosen_name, entries, shapes

SPREAD = 3.0
"""Standard deviation of the noise that is shown."""
PROBABILITY_TOLERANCE = 1e-3
"""How far probabilities of all classes may be from 1 together, and weights from 1."""


def with_answer(prober: Prober, locality: Locality) -> Locality:
    """What was measured of a network, with what it returns, by a few passes on noise.

    Raises
    ------
    ModelError
        It is a network of three dimensions.
    """
    size = prober.size(max(locality.minimum, 32), locality.stride)
    image = SPREAD * prober.noise(size, size)
    # tiles of an unpadded network may be a little larger than its one size
    allowed = image[..., : locality.size, : locality.size]
    _check_dimensions(prober, allowed)
    recorder = Recorder()
    answer = prober.run(image, recorder)
    graph = prober.network.graph
    returns, text = _wording(ending(graph.origin() if graph else recorder.origin_of_answer()), answer)
    if not returns and _numbers(answer):
        returns, text = "label", "whole numbers"
    return replace(
        locality,
        returns=returns,
        ending=text,
        between="" if returns else _between(answer),
        remarks=_remarks(prober, allowed),
    )


def _check_dimensions(prober: Prober, image: torch.Tensor) -> None:
    """A 3-D network may take one image for a volume; two it cannot take for one."""
    module, batch = prober.network.module, prober.network.accepts.batch
    if batch is not None or not any(parameter.ndim == 5 for parameter in module.parameters()):
        return
    try:
        with torch.inference_mode():
            module(torch.cat([image, image]))
    except Exception as error:  # whatever its layers raise
        raise ModelError(
            f"The network holds 3-D convolutions and takes no batch of two images. {THREE_DIMENSIONS}"
        ) from error


def _wording(end: Ending | None, answer: torch.Tensor) -> tuple[str, str]:
    """What an answer is known to be, and the words for it, as `Locality` keeps them; empty where nothing is known."""
    if end is None:
        return "", ""
    if end.kind != "probability":
        return end.kind, end.operation
    # such as tanh: above 0 where the probability is above a half
    if abs(end.weight / 2 + end.offset) <= PROBABILITY_TOLERANCE:
        return "", ""
    if abs(end.weight - 1) > PROBABILITY_TOLERANCE or abs(end.offset) > PROBABILITY_TOLERANCE:
        return "scaled", f"{end.weight:.4g} × {end.operation} {'+' if end.offset >= 0 else '−'} {abs(end.offset):.4g}"
    if (
        "softmax" in end.operation
        and end.axis != 1
        and not (end.axis is None and (len(answer) == 1 or _sums_to_one(answer)))
    ):
        return "", ""  # over pixels, or something else than the classes
    return "probability", end.operation


def _between(answer: torch.Tensor) -> str:
    if answer.min() < 0 or answer.max() > 1 or answer.max() == answer.min():
        return ""
    return "softmax" if len(answer) > 1 and _sums_to_one(answer) else "sigmoid"


def _numbers(answer: torch.Tensor) -> bool:
    """Whether one channel holds nothing but whole numbers, at least one of them above 1."""
    return (
        len(answer) == 1
        and bool((answer == answer.round()).all())
        and float(answer.min()) >= 0
        and float(answer.max()) > 1
    )


def _sums_to_one(answer: torch.Tensor) -> bool:
    return bool(((answer.sum(0) - 1).abs() < PROBABILITY_TOLERANCE).all())


def _remarks(prober: Prober, image: torch.Tensor) -> tuple[str, ...]:
    """Where there is more than one tensor to choose from and nothing says which."""
    network, key = prober.network, prober.network.key
    if network.graph is not None:
        tensors: dict[str, Any] = dict(network.graph.outputs)
        chosen = network.graph.answer
    else:
        with torch.inference_mode():
            tensors = dict(entries(network.module(image.expand(network.accepts.batch or 1, -1, -1, -1))))
        chosen = chosen_name(tensors, key)
        if len(tensors) == 1 and key != "auto" and key not in tensors:
            return (f"the network returns one tensor, so that model.output.key {key} chooses nothing",)
    if len(tensors) < 2 or key != "auto":
        return ()
    return (
        f"the network returns {len(tensors)} tensors: {shapes(tensors)}; {chosen} is taken, as "
        f"model.output.key is auto: set it to take another",
    )
