"""Starting a network from another's weights, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.train.pretrained import native, resnet, vgg16
from pipeline.train.pretrained.first_conv import first_layer, to_bands
from pipeline.train.pretrained.inherit import inherit
from pipeline.train.pretrained.match_types import Offer, Offered
from pipeline.train.pretrained.started import Reshaped, Started

FOREIGN = (vgg16, resnet)
"""Each says whether it recognises a state dict, and what that offers."""


def start(network: nn.Module, state: Mapping[str, torch.Tensor], kind: str) -> Started:
    """Load into a network of ours, in place, what a pretrained state dict has for its body; and for its head where that is the same.

    Parameters
    ----------
    network
        As ``pipeline.models.native.build`` makes it.
    state
        Of torchvision's VGG16 (with or without batch norm), ResNet-50 or 101, ``fcn_resnet50`` or ``fcn_resnet101``, or of a
        network of ours with the same body.
    kind
        The network's name, as in ``model.kind``.

    Returns
    -------
    Started
        Where every tensor came from.

    Raises
    ------
    ModelError
        A part of the body is missing or of another shape, or a part of the weights' body has no place. The network is then as it was.
    """
    module = next((family for family in FOREIGN if family.recognises(state)), native)
    offer = module.offer(network, state, kind)
    taken = {name: _fitted(network, name, offered, kind) for name, offered in offer.tensors.items()}
    fits = {name: offered for name, offered in taken.items() if offered is not None}
    left = _left(offer, state, kind)
    missing = _missing(network, offer, kind)
    inherited = inherit(network, {name: offered.tensor for name, offered in fits.items()})
    assert not inherited.reshaped
    assert not inherited.left
    own = network.state_dict()
    changed = tuple(_change(name, offered, own, offered.rule) for name, offered in fits.items() if offered.rule)
    fresh = tuple(_change(name, offer.tensors[name], own, "as it was made") for name, offered in taken.items() if offered is None)
    matched = tuple(name for name, offered in fits.items() if not offered.rule)
    return Started(kind=kind, source=offer.said, matched=matched, reshaped=changed, fresh=fresh, missing=missing, left=left)


def _fitted(network: nn.Module, name: str, offered: Offered, kind: str) -> Offered | None:
    """The tensor for a place, or None where it is a score of another number of classes."""
    have, want = tuple(offered.tensor.shape), tuple(network.state_dict()[name].shape)
    if have == want:
        return offered
    per_class = getattr(network, "per_class", ())
    if name.startswith(per_class):
        return None
    if name == first_layer(network) and (have[0], *have[2:]) == (want[0], *want[2:]):
        return replace(offered, tensor=to_bands(offered.tensor, want[1]), rule=f"mean over bands, times {have[1]}/{want[1]}")
    raise ModelError(
        f"The weights do not fit {kind}: {offered.sources[0]} makes {name} of shape {have}, and the network's is {want} (outputs and inputs come first). "
        "Set model.args, such as width, fc_width and fc_kernel, to what they were made with."
    )


def _missing(network: nn.Module, offer: Offer, kind: str) -> tuple[str, ...]:
    absent = [name for name in network.state_dict() if name not in offer.tensors and not name.endswith(native.COUNTER)]
    body = [name for name in absent if not name.startswith((*native.head_of(network), *offer.optional))]
    if body:
        raise ModelError(
            f"The weights do not fit {kind}: they lack {len(body)} of the tensors of its body,"
            f" such as {body[0]}. Give those of {native.STARTS.get(kind, kind)}."
        )
    return tuple(absent)


def _left(offer: Offer, state: Mapping[str, torch.Tensor], kind: str) -> tuple[str, ...]:
    """Keys of no use; a body that is deeper than the network's has such keys beside those that are used, and is refused."""
    used = {key for offered in offer.tensors.values() for key in offered.sources}
    left = tuple(key for key in state if key not in used)
    words = {key.partition(".")[0] for key in used}
    strange = [key for key in left if key.partition(".")[0] in words and not key.startswith(offer.spare)]
    if strange:
        raise ModelError(
            f"The weights do not fit {kind}: {len(strange)} tensors of their body have no place in it, such as {strange[0]}. "
            "Set model.args (depth, norm, unpooling) to what they were made with."
        )
    return left


def _change(name: str, offered: Offered, own: Mapping[str, torch.Tensor], rule: str) -> Reshaped:
    return Reshaped(name=name, source=offered.sources[0], before=offered.before, after=tuple(own[name].shape), rule=rule)
