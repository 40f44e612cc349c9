"""From a state dict by our own names, which are torchvision's for its ``fcn_resnet50`` and ``fcn_resnet101``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.train.pretrained.match_types import Offer, unchanged_tensor

BATCH_COUNTER = "num_batches_tracked"
"""Not in state dicts of torch before 0.4.1, and of no use after training."""
SPARE = ("score", "up2.", "up4.", "up8.", "up16.", "up32.", "classifier.", "aux_classifier.")
"""Heads that another network of the same body may have."""
STARTS = {
    "fcn32s": "fcn32s, fcn16s or fcn8s, or of torchvision's vgg16 (norm: false) or vgg16_bn (norm: true)",
    "fcn": "fcn",
    "deconvnet": "deconvnet, or, with unpooling: true, of torchvision's vgg16_bn",
    "resnet_fcn": "resnet_fcn, or of torchvision's resnet50, resnet101, fcn_resnet50 or fcn_resnet101",
}
"""Whose weights start a kind."""
STARTS |= dict.fromkeys(("fcn16s", "fcn8s"), STARTS["fcn32s"])


def offer(network: nn.Module, state: Mapping[str, torch.Tensor], kind: str) -> Offer:
    """What a state dict by our own names has for a network: what is called the same.

    Raises
    ------
    ModelError
        A part of the body is not in it.
    """
    body = [
        name
        for name in network.state_dict()
        if not name.startswith(head_of(network)) and not name.endswith(BATCH_COUNTER)
    ]
    lacking = [name for name in body if name not in state]
    if lacking:
        raise ModelError(_mismatch_message(kind, body, lacking, state))
    tensors = network.state_dict()
    return Offer(
        source=f"the body of {kind}",
        tensors={name: unchanged_tensor(name, tensor) for name, tensor in state.items() if name in tensors},
        spare=SPARE,
    )


def head_of(network: nn.Module) -> tuple[str, ...]:
    """Beginnings of the names of a network's score and upsampling layers.

    Raises
    ------
    ModelError
        It is no network of ours.
    """
    head = getattr(network, "head", None)
    if isinstance(head, tuple):
        return head
    raise ModelError(
        f"{type(network).__name__} does not say which of its layers are its head, as networks of ours do. "
        f"Take one of {', '.join(NETWORKS)}."
    )


def _mismatch_message(kind: str, body: list[str], lacking: list[str], state: Mapping[str, torch.Tensor]) -> str:
    near = difflib.get_close_matches(lacking[0], list(state), 1)
    nearest = f" (nearest in them: {near[0]})" if near else ""
    similar = _most_similar(state)
    looks = f" By their names they are those of {similar}." if similar else ""
    return (
        f"The weights do not fit {kind}: they lack {len(lacking)} of the {len(body)} tensors of its body, "
        f"such as {lacking[0]}{nearest}; they begin with "
        f"{', '.join(list(state)[:3]) or 'nothing'}.{looks} Give those of {STARTS.get(kind, kind)}, or set "
        f"model.kind and model.args as they were made."
    )


def _most_similar(state: Iterable[str]) -> str:
    """The kind of ours, and its arguments, that has most of these names, or nothing."""
    names = set(state)
    best, share = "", 0.5
    for kind, keys in _native_variants():
        similarity = len(names & keys) / len(names | keys)
        if similarity > share:
            best, share = kind, similarity
    return best


def _native_variants() -> Iterable[tuple[str, set[str]]]:
    variants: dict[str, list[dict[str, Any]]] = {
        "deconvnet": [{}, {"unpooling": True}],
        "resnet_fcn": [{}, {"depth": 101}],
        "fcn": [{}],
    }
    for kind, network_class in NETWORKS.items():
        for args in variants.get(kind, [{}, {"norm": False}]):
            with torch.device("meta"):
                keys = set(network_class(bands=1, classes=1, width=1, **args).state_dict())
            settings = " ".join(f"{name}: {str(value).lower()}" for name, value in args.items())
            yield f"kind {kind}" + (f" with {settings}" if settings else ""), keys
