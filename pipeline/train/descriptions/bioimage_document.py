"""The trained network as a description of bioimage.io, format 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pipeline import __version__
from pipeline.models.weights import sha256
from pipeline.train.descriptions.portable import SIZE_STEP, image_side
from pipeline.train.descriptions.trained_model import TrainedModel

FORMAT_VERSION = "0.5.4"
INPUT, OUTPUT = "image", "scores"


def bioimage_document(model: TrainedModel, torchscript: Path, image: Path, scores: Path, card: Path) -> dict[str, Any]:
    """The sections of the document, whose files lie beside it.

    Authors and a licence are left to whoever publishes the model: nothing in a training says them.
    """
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": f"{model.meta.kind} network {model.name}"[:128],
        "description": f"A {model.meta.kind} network that gives each pixel one of {len(model.meta.classes)} classes.",
        "documentation": card.name,
        "inputs": [
            {
                "id": INPUT,
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": _band_names(model)}, *_space(model)],
                "data": {"type": "float32"},
                "preprocessing": _preprocessing(model),
                "test_tensor": _file(image),
            }
        ],
        "outputs": [
            {
                "id": OUTPUT,
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": _channel_names(model)},
                    *_space(model, after=INPUT),
                ],
                "data": {"type": "float32"},
                "postprocessing": _postprocessing(model),
                "test_tensor": _file(scores),
            }
        ],
        "weights": {"torchscript": {**_file(torchscript), "pytorch_version": torch.__version__.partition("+")[0]}},
        "config": {"wholecloth": {"version": __version__, "classes": model.meta.classes, "output": model.meta.output}},
    }


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": sha256(path)}


def _space(model: TrainedModel, after: str | None = None) -> list[dict[str, Any]]:
    """Rows and cols, of any multiple of `STEP`, or as long as those of another tensor."""
    unit = {} if model.meta.pixel_size is None else {"unit": "meter", "scale": model.meta.pixel_size}
    return [{"type": "space", "id": name, "size": _size(model, name, after), **unit} for name in "yx"]


def _size(model: TrainedModel, axis: str, after: str | None) -> dict[str, Any]:
    return {"min": image_side(model), "step": SIZE_STEP} if after is None else {"tensor_id": after, "axis_id": axis}


def _band_names(model: TrainedModel) -> list[str]:
    return list(model.meta.bands) if len(model.meta.bands) == model.bands else [f"band{k}" for k in range(model.bands)]


def _channel_names(model: TrainedModel) -> list[str]:
    """One logit is the score of its second class."""
    return [row["name"] for row in (model.classes[1:] if model.channels == 1 else model.classes)]


def _preprocessing(model: TrainedModel) -> list[dict[str, Any]]:
    steps = []
    for name, keys in (
        ("scale_linear", {"gain": "scale", "offset": "offset"}),
        ("fixed_zero_mean_unit_variance", {"mean": "mean", "std": "std"}),
    ):
        values = dict(zip(keys, model.short_values(*keys.values()), strict=True))
        if list(values.values()) not in ([1.0, 0.0], [0.0, 1.0]):
            axis = {"axis": "channel"} if any(isinstance(value, list) for value in values.values()) else {}
            steps.append({"id": name, "kwargs": {**axis, **values}})
    return steps


def _postprocessing(model: TrainedModel) -> list[dict[str, Any]]:
    softmax: dict[str, Any] = {"id": "softmax", "kwargs": {"axis": "channel"}}
    steps: dict[str, list[dict[str, Any]]] = {"softmax": [softmax], "sigmoid": [{"id": "sigmoid"}]}
    return steps.get(model.activation, [])
