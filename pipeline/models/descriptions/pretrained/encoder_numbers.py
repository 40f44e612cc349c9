"""Mean and deviation of the images that pretrained encoders of segmentation_models_pytorch were trained on.

Releases before 0.4 list them in the library itself; later ones fetch them from a server, which is not done here. Those
of timm's encoders stand in timm (https://smp.readthedocs.io/en/latest/encoders.html).
"""

from __future__ import annotations

from typing import Any

from pipeline.runtime.optional_imports import require

ImageNumbers = tuple[list[float], list[float]]
IMAGENET: ImageNumbers = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""Of pixels from 0 to 1, red, green and blue."""
CENTRED: ImageNumbers = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
CENTRED_ENCODERS = ("inception", "xception", "timm-tf_efficientnet_lite")
IMAGENET_ENCODERS = (
    "resnet",
    "resnext",
    "se_res",
    "senet",
    "vgg",
    "densenet",
    "efficientnet-b",
    "mobilenet_v2",
    "mobileone",
    "mit_b",
    "timm-res",
    "timm-regnet",
    "timm-gernet",
    "timm-skres",
    "timm-mobilenetv3",
    "timm-efficientnet",
)
"""Beginnings of names."""
ADVERSARIAL = "advprop"
"""Weights whose images were centred, whatever the encoder."""
TIMM_PREFIX = "tu-"


def encoder_numbers(encoder: str, weights: str) -> ImageNumbers | None:
    """Mean and deviation by the name of an encoder and of its weights; None where they are not known here.

    Raises
    ------
    ExtraError
        It is an encoder of timm, which is not installed.
    """
    if encoder.startswith(TIMM_PREFIX):
        return _timm_numbers(encoder.removeprefix(TIMM_PREFIX))
    if encoder.startswith(CENTRED_ENCODERS) or weights == ADVERSARIAL:
        return CENTRED
    return IMAGENET if encoder.startswith(IMAGENET_ENCODERS) else None


def _timm_numbers(encoder: str) -> ImageNumbers | None:
    """Of a list that timm brings along; no file is fetched."""
    models: Any = require("timm.models", "smp", "An encoder of timm")
    config = models.get_pretrained_cfg(encoder)
    return None if config is None else ([float(v) for v in config.mean], [float(v) for v in config.std])
