"""What a state dict tells of the network it came from: a library's key names, shapes, a trainer's hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.models.weights import peek
from pipeline.models.weights.checkpoint_keys import WRAPPERS

WRAPPED = re.compile(rf"^(?:(?:{'|'.join(WRAPPERS)})\.)+")
SMP_HEAD = "segmentation_head.0.weight"
"""Key of the last convolution of every network of segmentation_models_pytorch."""
ARCHS = {
    "unet": "Unet",
    "unet++": "UnetPlusPlus",
    "unetplusplus": "UnetPlusPlus",
    "deeplabv3": "DeepLabV3",
    "deeplabv3+": "DeepLabV3Plus",
    "deeplabv3plus": "DeepLabV3Plus",
    "fpn": "FPN",
    "linknet": "Linknet",
    "manet": "MAnet",
    "pan": "PAN",
    "pspnet": "PSPNet",
    "upernet": "UPerNet",
    "segformer": "Segformer",
    "dpt": "DPT",
}
"""Names of architectures in hyperparameters, TorchGeo's among them, and in segmentation_models_pytorch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDictFacts:
    """A section ``model`` that may lack something."""

    model: dict[str, Any]
    bands: int | None
    channels: int | None
    todo: tuple[str, ...]


def facts_from_state_dict(path: Path) -> StateDictFacts:
    """Read a state dict's keys and shapes; its tensors are left alone.

    Raises
    ------
    ModelError
        There is none in the file.
    """
    shapes, hyperparameters = peek(path)
    unwrapped = {WRAPPED.sub("", name): shape for name, shape in shapes.items()}
    images = {name: shape for name, shape in unwrapped.items() if len(shape) == 4}
    bands = next(
        (shape[1] for name, shape in images.items() if SMP_HEAD not in unwrapped or name.startswith("encoder.")), None
    )
    if SMP_HEAD in unwrapped:
        return _smp(bands, unwrapped, hyperparameters)
    todo = (
        "model.factory: weights hold no network; write the function or class that builds it, as "
        "FILE.py:NAME, and its arguments in model.args"
    )
    return StateDictFacts(
        model={"kind": "python", "factory": "network.py:build"}, bands=bands, channels=_last(images), todo=(todo,)
    )


def _smp(
    bands: int | None, unwrapped: Mapping[str, tuple[int, ...]], hyperparameters: Mapping[str, Any]
) -> StateDictFacts:
    arch = next(
        (ARCHS[name] for key in ("arch", "model") if (name := str(hyperparameters.get(key)).lower()) in ARCHS), None
    )
    encoder = next(
        (hyperparameters[key] for key in ("encoder_name", "backbone") if isinstance(hyperparameters.get(key), str)),
        None,
    )
    todo: tuple[str, ...] = () if arch else ("model.arch: the architecture, a class of segmentation_models_pytorch",)
    todo += () if encoder else ("model.args.encoder_name: the encoder it was trained with",)
    channels = unwrapped[SMP_HEAD][0]
    args = {"encoder_name": encoder or "resnet34", "classes": channels}
    return StateDictFacts(
        model={"kind": "smp", "arch": arch or "Unet", "args": args}, bands=bands, channels=channels, todo=todo
    )


def _last(images: Mapping[str, tuple[int, ...]]) -> int | None:
    """Outputs of the last convolution, which is the head in most networks."""
    return list(images.values())[-1][0] if images else None
