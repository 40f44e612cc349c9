"""``kind: classifier``: a classifier made fully convolutional; its factory runs with the user's rights."""

from __future__ import annotations

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models import python
from pipeline.models.architectures import revision
from pipeline.models.architectures.convolutional import Convolutional
from pipeline.models.loaded import Loaded


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Build a classifier as ``kind: python`` does, and turn its dense layers into convolutions.

    Raises
    ------
    ConfigError, ModelError
        As for ``kind: python``; or the training size is missing, or the classifier is of another form.
    """
    size = model.input.size if model.input else None
    if size is None:
        raise ModelError(
            "model.input.size is missing: kind classifier needs the size of the images it was trained on, "
            "in px, such as 224."
        )
    built = python.build_from_factory(model, bands)
    try:
        network = Convolutional(built.module, bands, size)
    except ValueError as error:
        raise ModelError(
            f"The classifier of {model.factory} cannot be made fully convolutional: {error}. It must be "
            f"convolutions and pools, a flattening, and "
            "dense layers, as VGG, AlexNet and LeNet are; check model.input.size and source.bands too."
        ) from error
    identity = {**built.identity, "kind": "classifier", "size": size, "revision": revision(Convolutional.__module__)}
    return Loaded(
        module=network.eval().to(device),
        identity_fields=identity,
        key=model.output.key,
        accepts=InputConstraints(minimum=size),
        notes=built.notes,
    )
