"""Folders as ``save_pretrained`` of two libraries writes them, with stand-ins for their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SMP = {
    "_model_class": "Unet",
    "encoder_name": "resnet34",
    "encoder_weights": "imagenet",
    "in_channels": 3,
    "classes": 4,
    "activation": None,
}
TRANSFORMERS = {
    "architectures": ["SegformerForSemanticSegmentation"],
    "model_type": "segformer",
    "num_channels": 3,
    "id2label": {"0": "land", "1": "water", "2": "road"},
    "label2id": {"land": 0, "water": 1, "road": 2},
    "hidden_sizes": [8, 16],
    "transformers_version": "5.0.0",
    "dtype": "float32",
}
PROCESSOR = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 0.00392156862745098,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "size": {"height": 64, "width": 64},
    "do_reduce_labels": True,
}


def saved(
    folder: Path,
    document: dict[str, Any],
    processor: dict[str, Any] | None = None,
    weights: str | None = "model.safetensors",
) -> Path:
    """The folder, whose weights are a few bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(document))
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    if weights is not None:
        (folder / weights).write_bytes(b"weights")
    return folder
