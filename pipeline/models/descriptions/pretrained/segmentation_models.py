"""``config.json`` of segmentation_models_pytorch: the class and its arguments (https://smp.readthedocs.io)."""

from __future__ import annotations

import re
from typing import Any

from pipeline.errors import ExtraError
from pipeline.models.descriptions.foreign_entries import EIGHT_BITS
from pipeline.models.descriptions.pretrained.encoder_numbers import encoder_numbers
from pipeline.models.descriptions.pretrained.network import LibraryNetwork

SMP_LIBRARY = "segmentation_models_pytorch"
CLASS_KEYS = ("_model_class", "model_class")
"""Of the architecture; the library writes the first."""
ENCODER = re.compile(r"[\w.+-]+")
"""Names of encoders; others are addresses, whose parts would be fetched."""
PICTURE_BANDS = 3
LOGITS = (None, "identity")
"""Activations that change nothing."""
ACTIVATIONS: dict[str, dict[str, Any]] = {
    "sigmoid": {"activation": "none"},
    "softmax": {"activation": "none"},
    "softmax2d": {"activation": "none"},
    "logsoftmax": {"activation": "softmax"},
}
"""Keys of ``model.output`` by the activation at the end of the network."""


def smp_network(document: dict[str, Any], processor: dict[str, Any] | None) -> LibraryNetwork | None:
    """What the document states; None where another library wrote it."""
    arch = next((document[key] for key in CLASS_KEYS if isinstance(document.get(key), str)), None)
    if arch is None or "encoder_name" not in document:
        return None
    args = {key: value for key, value in document.items() if key not in CLASS_KEYS and not key.startswith("_")}
    pretrained = args.pop("encoder_weights", None)
    bands, classes = _number(args.get("in_channels"), PICTURE_BANDS), _number(args.get("classes"), 1)
    keys, remark = _prepared(str(args["encoder_name"]), pretrained, bands)
    activation = args.get("activation")
    return LibraryNetwork(
        library=SMP_LIBRARY,
        kind="smp",
        arch=arch,
        args=args,
        bands=bands,
        channels=classes,
        input=keys,
        input_origin=f"{SMP_LIBRARY}, for the encoder {args['encoder_name']} ({pretrained}),",
        output=_output(activation, classes),
        output_fault=_output_fault(activation),
        fault=_fault(args["encoder_name"]),
        hints=() if remark is None else (remark,),
    )


def _number(value: Any, default: int) -> int | None:
    """A stated number, or the library's default; None of what is no number, which the library refuses."""
    if value is None:
        return default
    return value if isinstance(value, int) and value > 0 else None


def _prepared(encoder: str, pretrained: Any, bands: int | None) -> tuple[dict[str, Any], str | None]:
    """Keys of ``model.input``, or why there are none."""
    if not isinstance(pretrained, str):
        reason = "no pretrained encoder is named (encoder_weights)"
    elif bands != PICTURE_BANDS:
        reason = f"the library's numbers are of pictures of {PICTURE_BANDS} bands"
    else:
        try:
            numbers = encoder_numbers(encoder, pretrained)
            reason = f"those of the encoder {encoder} ({pretrained}) are not known here"
        except ExtraError as error:
            numbers, reason = None, str(error).removesuffix(".")
        if numbers is not None:
            return {"scale": EIGHT_BITS, "mean": numbers[0], "std": numbers[1]}, None
    return {}, f"no normalisation is stated, as {reason}: give model.input as the network was trained"


def _output(activation: Any, classes: int | None) -> dict[str, Any]:
    keys = ACTIVATIONS.get(activation, {}) if isinstance(activation, str) else {}
    return {**keys, "multilabel": True} if activation == "sigmoid" and classes != 1 else dict(keys)


def _output_fault(activation: Any) -> str | None:
    if activation in LOGITS or activation in ACTIVATIONS:
        return None
    return f"the activation {activation!r} of {SMP_LIBRARY} gives no probabilities"


def _fault(encoder: Any) -> str | None:
    if isinstance(encoder, str) and ENCODER.fullmatch(encoder):
        return None
    return (
        f"names the encoder {encoder!r}, which is no name of an encoder but leads elsewhere; nothing is fetched for a "
        f"network. Save the network with an encoder of {SMP_LIBRARY} or timm."
    )
