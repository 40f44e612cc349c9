"""Starting a network from another's weights, whole or not at all; so FCN-16s starts from 32s, and FCN-8s from 16s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.train.pretrained import native, resnet, vgg16
from pipeline.train.pretrained.first_conv import first_layer, to_bands
from pipeline.train.pretrained.load_report import LoadReport, Reshaped
from pipeline.train.pretrained.match_types import Offer, OfferedTensor

TORCHVISION_FAMILIES = (vgg16, resnet)
"""Each says whether it recognises a state dict, and what that offers."""


def load_pretrained(network: nn.Module, state: Mapping[str, torch.Tensor], kind: str) -> LoadReport:
    """Load into a network of ours, in place, what a pretrained state dict has for its body.

    And for its head where that is the same.

    Parameters
    ----------
    network
        As ``pipeline.models.native.build`` makes it.
    state
        Of torchvision's VGG16 (with or without batch norm), ResNet-50 or 101, ``fcn_resnet50`` or ``fcn_resnet101``, or
        of a network of ours with the same body.
    kind
        The network's name, as in ``model.kind``.

    Returns
    -------
    Started
        Where every tensor came from.

    Raises
    ------
    ModelError
        A part of the body is missing or of another shape, or a part of the weights' body has no place. The network is
        then as it was.
    """
    module = next((family for family in TORCHVISION_FAMILIES if family.recognises(state)), native)
    offer = module.offer(network, state, kind)
    fitted = {name: _fitted(network, name, candidate, kind) for name, candidate in offer.tensors.items()}
    fits = {name: candidate for name, candidate in fitted.items() if candidate is not None}
    left = _left(offer, state, kind)
    missing = _missing(network, offer, kind)
    inherited = inherit(network, {name: candidate.tensor for name, candidate in fits.items()})
    assert not inherited.reshaped
    assert not inherited.left
    tensors = network.state_dict()
    changed = tuple(
        _change(name, candidate, tensors, candidate.rule) for name, candidate in fits.items() if candidate.rule
    )
    fresh = tuple(
        _change(name, offer.tensors[name], tensors, "as it was made")
        for name, candidate in fitted.items()
        if candidate is None
    )
    matched = tuple(name for name, candidate in fits.items() if not candidate.rule)
    return LoadReport(
        kind=kind, source=offer.source, matched=matched, reshaped=changed, fresh=fresh, missing=missing, left=left
    )


def _fitted(network: nn.Module, name: str, candidate: OfferedTensor, kind: str) -> OfferedTensor | None:
    """The tensor for a place, or None where it is a score of another number of classes."""
    have, want = tuple(candidate.tensor.shape), tuple(network.state_dict()[name].shape)
    if have == want:
        return candidate
    per_class = getattr(network, "per_class", ())
    if name.startswith(per_class):
        return None
    if name == first_layer(network) and (have[0], *have[2:]) == (want[0], *want[2:]):
        return replace(
            candidate, tensor=to_bands(candidate.tensor, want[1]), rule=f"mean over bands, times {have[1]}/{want[1]}"
        )
    raise ModelError(
        f"The weights do not fit {kind}: {candidate.sources[0]} makes {name} of shape {have}, and the "
        f"network's is {want} (outputs and inputs come first). "
        "Set model.args, such as width, fc_width and fc_kernel, to what they were made with."
    )


def _missing(network: nn.Module, offer: Offer, kind: str) -> tuple[str, ...]:
    absent = [
        name for name in network.state_dict() if name not in offer.tensors and not name.endswith(native.BATCH_COUNTER)
    ]
    body = [name for name in absent if not name.startswith((*native.head_of(network), *offer.optional))]
    if body:
        raise ModelError(
            f"The weights do not fit {kind}: they lack {len(body)} of the tensors of its body,"
            f" such as {body[0]}. Give those of {native.STARTS.get(kind, kind)}."
        )
    return tuple(absent)


def _left(offer: Offer, state: Mapping[str, torch.Tensor], kind: str) -> tuple[str, ...]:
    """Keys of no use; a file with a deeper body is refused.

    Such a body has keys of no use beside those that are used.
    """
    used_keys = {key for candidate in offer.tensors.values() for key in candidate.sources}
    left = tuple(key for key in state if key not in used_keys)
    prefixes = {key.partition(".")[0] for key in used_keys}
    strange = [key for key in left if key.partition(".")[0] in prefixes and not key.startswith(offer.spare)]
    if strange:
        raise ModelError(
            f"The weights do not fit {kind}: {len(strange)} tensors of their body have no place in it, such "
            f"as {strange[0]}. "
            "Set model.args (depth, norm, unpooling) to what they were made with."
        )
    return left


def _change(name: str, candidate: OfferedTensor, tensors: Mapping[str, torch.Tensor], rule: str) -> Reshaped:
    return Reshaped(
        name=name,
        source=candidate.sources[0],
        old_shape=candidate.source_shape,
        new_shape=tuple(tensors[name].shape),
        rule=rule,
    )


SKIPS = ("score4.", "score3.")
"""Scores of skips: from 0 a network first says what its predecessor said (Long, Shelhamer & Darrell 2015, section
4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """Where each tensor came from."""

    matched: tuple[str, ...]
    """Taken over."""
    fresh: tuple[str, ...]
    """Not in the state dict: as the network was made, and 0 for the scores of skips."""
    left: tuple[str, ...]
    """In the state dict, and of no use here."""
    reshaped: tuple[str, ...]
    """In both with different shapes: left as the network was made."""


def inherit(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Inherited:
    """Take over every tensor of the same name and shape, in place."""
    tensors = network.state_dict()
    matched = [name for name in tensors if name in state and state[name].shape == tensors[name].shape]
    fresh = [name for name in tensors if name not in state]
    with torch.no_grad():
        for name in matched:
            tensors[name].copy_(state[name])
        for name in fresh:
            if name.startswith(SKIPS):
                tensors[name].zero_()
    reshaped = [name for name in tensors if name in state and name not in matched]
    return Inherited(
        matched=tuple(matched),
        fresh=tuple(fresh),
        left=tuple(name for name in state if name not in tensors),
        reshaped=tuple(reshaped),
    )
