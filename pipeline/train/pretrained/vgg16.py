"""From torchvision's VGG16 to the bodies of FCN-32s, 16s and 8s.

It is the first half of the symmetric deconvolution network as well.

Dense layers of the classifier become the convolutions fc6 and fc7, whole or decimated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures.deconvnet import Symmetric
from pipeline.models.architectures.vgg import STAGE_DEPTHS, Body
from pipeline.train.pretrained.match_types import Offer, OfferedTensor, unchanged_tensor

SPARE = ("classifier.",)
FOLDED = "convolution's bias taken off the running mean"
IDENTITY_NORM = "batch norm that changes nothing, with the dense layer's bias as its shift"
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def recognises(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether keys are those of a VGG of torchvision."""
    return "features.0.weight" in state and "layer1.0.conv1.weight" not in state


def offer(network: nn.Module, state: Mapping[str, torch.Tensor], kind: str) -> Offer:
    """What a VGG16 has for a network.

    Raises
    ------
    ModelError
        The network has no such body, the state dict is of another VGG, or only one of the two has batch norm.
    """
    places, (sixth, seventh) = _places(network, kind)
    sources = sorted(
        (key for key in state if re.fullmatch(r"features\.\d+\.weight", key) and state[key].ndim == 4),
        key=lambda key: int(key.split(".")[1]),
    )
    if len(sources) != sum(STAGE_DEPTHS):
        raise ModelError(
            f"The weights have {len(sources)} convolutions in features, and VGG16 has {sum(STAGE_DEPTHS)}. "
            f"Give those of vgg16 or vgg16_bn."
        )
    normed = "features.1.running_mean" in state
    _agree(normed, isinstance(network.get_submodule(_after(places[0])), nn.BatchNorm2d), kind)
    tensors: dict[str, OfferedTensor] = {}
    for place, source in zip(places, sources, strict=True):
        tensors |= _convolution(place, source.removesuffix(".weight"), state, normed)
    for place, source, grid in ((sixth, "classifier.0", VGG_GRID), (seventh, "classifier.3", 1)):
        if f"{source}.weight" in state:
            tensors |= _dense(network, place, source, state, grid)
    description = f"VGG16 {'with' if normed else 'without'} batch norm, by torchvision's names"
    return Offer(
        source=description,
        tensors=tensors,
        spare=SPARE,
        optional=tuple(f"{name}." for place in (sixth, seventh) for name in (place, _after(place))),
    )


def _places(network: nn.Module, kind: str) -> tuple[list[str], tuple[str, str]]:
    """Names of the 13 convolutions, and of fc6 and fc7."""
    body: tuple[str, ...]
    if isinstance(network, Body):
        body, dense = ("pool3.", "pool4.", "pool5."), ("fc6.0", "fc7.0")
    elif isinstance(network, Symmetric):
        body, dense = ("down.",), ("middle.0", "middle.3")
    else:
        raise ModelError(
            f"The weights are of a VGG, and kind "
            f"{kind}{' without unpooling' if kind == 'deconvnet' else ''} has no such body. "
            "They start fcn32s, fcn16s, fcn8s, and deconvnet with model.args.unpooling: true."
        )
    return [
        name for name, part in network.named_modules() if isinstance(part, nn.Conv2d) and name.startswith(body)
    ], dense


def _agree(weights: bool, network: bool, kind: str) -> None:
    """Batch norm with statistics of its own would change, at the first step, what plain layers have learnt.

    So nothing is made up.
    """
    if weights == network:
        return
    if network:
        other = "" if kind == "deconvnet" else " or set model.args.norm: false"
        raise ModelError(
            f"The weights are of VGG16 without batch norm, and the body of {kind} has it. Give those of "
            f"vgg16_bn{other}."
        )
    raise ModelError(
        f"The weights are of VGG16 with batch norm, and the body of {kind} has none. Give those of vgg16, "
        f"or set model.args.norm: true."
    )


def _convolution(place: str, source: str, state: Mapping[str, torch.Tensor], normed: bool) -> dict[str, OfferedTensor]:
    """A convolution, and its batch norm.

    A norm's mean moves by the bias that our convolutions do without, which changes nothing.
    """
    weight = {f"{place}.weight": unchanged_tensor(f"{source}.weight", state[f"{source}.weight"])}
    bias = f"{source}.bias"
    if not normed:
        return weight | {f"{place}.bias": unchanged_tensor(bias, _required(state, bias))}
    norm, keys = _after(place), {name: f"{_after(source)}.{name}" for name in NORM}
    tensors = weight | {
        f"{norm}.{name}": unchanged_tensor(key, state[key]) for name, key in keys.items() if key in state
    }
    mean = _required(state, keys["running_mean"])
    folded = OfferedTensor(
        tensor=mean - _required(state, bias),
        sources=(keys["running_mean"], bias),
        source_shape=tuple(mean.shape),
        rule=FOLDED,
    )
    return tensors | {f"{norm}.running_mean": folded}


def _dense(
    network: nn.Module, place: str, source: str, state: Mapping[str, torch.Tensor], grid: int
) -> dict[str, OfferedTensor]:
    layer = network.get_submodule(place)
    assert isinstance(layer, nn.Conv2d)
    key, bias = f"{source}.weight", f"{source}.bias"
    weight, rule = as_convolution(key, state[key], layer, grid)
    shift = every(_required(state, bias), layer)
    tensors = {
        f"{place}.weight": OfferedTensor(tensor=weight, sources=(key,), source_shape=tuple(state[key].shape), rule=rule)
    }
    if layer.bias is not None:
        cut = "" if shift.shape == state[bias].shape else rule
        return tensors | {
            f"{place}.bias": OfferedTensor(
                tensor=shift, sources=(bias,), source_shape=tuple(state[bias].shape), rule=cut
            )
        }
    norm = network.get_submodule(_after(place))
    assert isinstance(norm, nn.BatchNorm2d)
    zero = torch.zeros_like(shift)
    identity = {"weight": zero + 1, "bias": shift, "running_mean": zero, "running_var": zero + (1 - norm.eps)}
    same = {
        f"{_after(place)}.{name}": OfferedTensor(
            tensor=tensor, sources=(bias,), source_shape=tuple(state[bias].shape), rule=IDENTITY_NORM
        )
        for name, tensor in identity.items()
    }
    return tensors | same


def _required(state: Mapping[str, torch.Tensor], key: str) -> torch.Tensor:
    if key in state:
        return state[key]
    raise ModelError(
        f"The weights are of a VGG by their names, and {key} is not in them. Give those of vgg16 or vgg16_bn, whole."
    )


def _after(name: str) -> str:
    """The next layer of a sequence."""
    owner, _, number = name.rpartition(".")
    return f"{owner}.{int(number) + 1}"


VGG_GRID = 7
"""Rows and columns of what VGG flattens."""
DENSE_RULE = "dense layer as a convolution"


def as_convolution(key: str, weight: torch.Tensor, layer: nn.Conv2d, grid: int) -> tuple[torch.Tensor, str]:
    """The weight of a dense layer over ``grid``×``grid`` px as that of ``layer``, and the rule in words.

    A dense layer over flattened features is a convolution that covers them all (Long, Shelhamer & Darrell 2015, section
    3.1). For a smaller ``layer`` it is decimated (Chen et al. 2015, section 3.1): channels at an even step, and taps
    spaced evenly over the grid::

        7 taps   0 1 2 3 4 5 6       5 taps   0 . 2 3 4 . 6       3 taps   0 . . 3 . . 6       1 tap   . . . 3 . . .

    Parameters
    ----------
    key
        Name of the weight, for messages.
    weight
        (outputs, inputs), or (outputs, channels·grid²).
    layer
        The convolution that takes it.
    grid
        7 for fc6, 1 for fc7.

    Raises
    ------
    ModelError
        The numbers of channels do not divide, or the kernel is larger than the grid.
    """
    if weight.ndim != 2 or weight.shape[1] % grid**2:
        raise ModelError(
            f"{key} is {tuple(weight.shape)}, and VGG16's is outputs × channels·{grid}². Give the weights of a VGG16."
        )
    whole = weight.view(weight.shape[0], -1, grid, grid)
    kernel = layer.kernel_size[0]
    steps = [
        _step(key, have, want)
        for have, want in ((whole.shape[0], layer.out_channels), (whole.shape[1], layer.in_channels))
    ]
    if kernel > grid:
        raise ModelError(
            f"{key} covers {grid} × {grid} px, and fc_kernel asks for {kernel}. Set model.args.fc_kernel to "
            f"{grid} or a smaller odd number."
        )
    at = taps(kernel, grid)
    convolution = whole[:: steps[0], :: steps[1]][:, :, at][:, :, :, at]
    return convolution, DENSE_RULE if steps == [1, 1] and kernel == grid else f"{DENSE_RULE}, decimated"


def every(bias: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    """The biases of the channels that decimation keeps."""
    return bias[:: max(1, bias.shape[0] // layer.out_channels)]


def taps(kernel: int, grid: int) -> list[int]:
    """Which of ``grid`` taps are kept, symmetric about the middle."""
    if kernel == 1:
        return [grid // 2]
    left = [i * (grid - 1) // (kernel - 1) + (i * (grid - 1) % (kernel - 1) > 0) for i in range(kernel // 2)]
    return [*left, grid // 2, *(grid - 1 - i for i in reversed(left))]


def _step(key: str, have: int, want: int) -> int:
    if have % want:
        raise ModelError(
            f"{key} has {have} channels, of which {want} cannot be taken at an even step. Set "
            f"model.args.width to 64 and "
            "model.args.fc_width to 64, or to a half, a quarter or less of it (32, 16, 8 …), for the "
            "weights of a VGG16."
        )
    return have // want
