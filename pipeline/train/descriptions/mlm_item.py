"""The trained network as an item of STAC with the MLM extension."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from pipeline import __version__
from pipeline.models.weights import sha256
from pipeline.train.descriptions.trained_model import TrainedModel

EXTENSIONS = [
    "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/classification/v1.1.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
]
ITEM_AXES = ["batch", "channel", "height", "width"]
ACTIVATION_FUNCTIONS = {"softmax": "torch.nn.functional.softmax", "sigmoid": "torch.sigmoid"}
SHA256_PREFIX = "1220"
"""Of a multihash."""
ITEM_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]")
"""What the extension takes for a name."""


def mlm_item(
    model: TrainedModel, weights: Path, content: Path, torchscript: Path | None, card: Path, settings: dict[str, Any]
) -> dict[str, Any]:
    """The item, whose files lie beside it.

    Parameters
    ----------
    model
        What it describes.
    weights
        Where the weights will stand.
    content
        The same bytes, which are there already.
    torchscript
        The network as other programs load it; None where there is no such file.
    card
        The model card.
    settings
        Of the training, as plain values.
    """
    title = f"{model.meta.kind} of wholecloth"
    files = {"weights": _file(weights, content, f"Weights of {title} {__version__}", "safetensors", "mlm:weights")}
    if torchscript is not None:
        files["network"] = _file(torchscript, torchscript, f"{title}, whole", "torch.jit.script", "mlm:compiled")
    about = {"href": f"./{card.name}", "type": "text/markdown", "title": "Model card", "roles": ["metadata"]}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": EXTENSIONS,
        "id": model.name,
        "geometry": None,
        "properties": _properties(model, content, settings),
        "links": [],
        "assets": {**{name: {**file, **_bands(model)} for name, file in files.items()}, "card": about},
    }


def _file(path: Path, content: Path, title: str, artifact: str, role: str) -> dict[str, Any]:
    return {
        "href": f"./{path.name}",
        "type": "application/octet-stream; framework=pytorch",
        "title": title,
        "roles": ["mlm:model", role],
        "mlm:artifact_type": artifact,
        "file:size": content.stat().st_size,
        "file:checksum": f"{SHA256_PREFIX}{sha256(content)}",
    }


def _properties(model: TrainedModel, content: Path, settings: dict[str, Any]) -> dict[str, Any]:
    gsd = {} if model.meta.pixel_size is None else {"gsd": model.meta.pixel_size}
    ended = datetime.fromtimestamp(int(content.stat().st_mtime), UTC)
    return {
        "datetime": ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": f"A {model.meta.kind} network that gives each pixel one of {len(model.meta.classes)} classes.",
        **gsd,
        "mlm:name": model.name if ITEM_NAME.fullmatch(model.name) else f"{model.meta.kind} network",
        "mlm:architecture": model.meta.kind,
        "mlm:framework": "PyTorch",
        "mlm:framework_version": torch.__version__,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:total_parameters": model.parameters,
        "mlm:input": [_input(model)],
        "mlm:output": [_output(model)],
        "mlm:hyperparameters": settings,
    }


def _bands(model: TrainedModel) -> dict[str, Any]:
    """As STAC 1.0 has them; the schema of the extension wants the names at each file of the model."""
    size = {} if model.meta.pixel_size is None else {"spatial_resolution": model.meta.pixel_size}
    named = [{"name": name} for name in model.meta.bands]
    return {"eo:bands": named, "raster:bands": [{**band, **size} for band in named]}


def _input(model: TrainedModel) -> dict[str, Any]:
    changed = model.transform
    return {
        "name": "image",
        "bands": model.meta.bands if changed is None else [],
        "input": {"shape": [-1, model.bands, -1, -1], "dim_order": ITEM_AXES, "data_type": "float32"},
        "value_scaling": list(_scaling(model)),
        "resize_type": None,
        "pre_processing_function": None if changed is None else {"format": "python", "expression": changed},
    }


def _scaling(model: TrainedModel) -> Iterator[dict[str, Any]]:
    """(x·scale + offset − mean) / std of each band, as (x − mean') / std'."""
    scale, offset, mean, std = (model.numbers(name) for name in ("scale", "offset", "mean", "std"))
    pairs = zip(((mean - offset) / scale).tolist(), (std / scale).tolist(), strict=True)
    for start, width in pairs:
        yield {"type": "z-score", "mean": start, "stddev": width}


def _output(model: TrainedModel) -> dict[str, Any]:
    function = ACTIVATION_FUNCTIONS.get(model.activation)
    return {
        "name": "logits",
        "tasks": ["semantic-segmentation"],
        "result": {"shape": [-1, model.channels, -1, -1], "dim_order": ITEM_AXES, "data_type": "float32"},
        "classification:classes": list(_classes(model)),
        "post_processing_function": None if function is None else {"format": "python", "expression": function},
    }


def _classes(model: TrainedModel) -> Iterator[dict[str, Any]]:
    """In the order of the channels; codes that are no other order of the channels are their values."""
    rows = model.classes
    codes = [row.get("code", k) for k, row in enumerate(rows)]
    values = list(range(len(rows))) if sorted(codes) == list(range(len(rows))) else codes
    for value, row in zip(values, rows, strict=True):
        colour = {"color_hint": row["color"].removeprefix("#").upper()} if row.get("color") else {}
        ignored = {"nodata": True} if row.get("role") == "ignore" else {}
        yield {"value": value, "name": row["name"], "description": row["name"], **colour, **ignored}
