"""Functions after the network in keys of ``model.output``: the few whose meaning is known by their names."""

from __future__ import annotations

from typing import Any

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.mlm.parts import ExpressionPart, OutputPart

ACTIVATION_NAMES = {
    "torch.softmax": "softmax",
    "torch.nn.softmax": "softmax",
    "torch.nn.functional.softmax": "softmax",
    "torch.sigmoid": "sigmoid",
    "torch.nn.sigmoid": "sigmoid",
    "torch.nn.functional.sigmoid": "sigmoid",
    "torch.special.expit": "sigmoid",
}
"""By full names of functions and of layers, in lower case."""
WINNERS = ("torch.argmax", "torch.max", "numpy.argmax", "np.argmax")
"""Functions that pick the likeliest class, as a mask does."""


def activation_keys(output: OutputPart) -> dict[str, Any]:
    """Keys of ``model.output``; empty where no function is named.

    Raises
    ------
    StepError
        A function is not known here. None is ever called.
    """
    names = [_name(part) for part in output.post_processing_function]
    activations = [ACTIVATION_NAMES[name] for name in names if name in ACTIVATION_NAMES]
    if len(activations) > 1:
        raise StepError(f"post_processing_function names {len(activations)} activations, and one is done here")
    several = activations == ["sigmoid"] and output.channels not in (None, 1)
    return {**({"activation": activations[0]} if activations else {}), **({"multilabel": True} if several else {})}


def _name(part: ExpressionPart) -> str:
    name = part.expression.strip().lower().replace(":", ".") if isinstance(part.expression, str) else ""
    if name not in ACTIVATION_NAMES and name not in WINNERS:
        raise StepError(f"post_processing_function {part.text} is code, and nothing of a description is executed")
    return name
