"""Folders of ``save_pretrained``: ``config.json`` and weights, as segmentation_models_pytorch and transformers write.

Nothing is fetched, and no code of a folder is executed (https://huggingface.co/docs/huggingface_hub).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.models.descriptions.pretrained.described_model import PretrainedModel
from pipeline.models.descriptions.pretrained.read import read_folder


def read_pretrained(path: Path) -> PretrainedModel | None:
    """The model of such a folder; None where the path is none. Raises ModelError as `read_folder`."""
    return read_folder(path)
