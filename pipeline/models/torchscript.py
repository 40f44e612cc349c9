"""``kind: torchscript``: a scripted or traced network. Loading one executes the code it holds."""

from __future__ import annotations

import warnings

import torch

from pipeline.config import ModelConfig
from pipeline.models.loaded import Loaded
from pipeline.models.weights import sha256
from pipeline.models.weights.file_type import TORCHSCRIPT, wrong_file_error

ADVICE = (
    "Save one with torch.jit.script(network).save(path); where it holds operations of another library, "
    "use model.kind: python."
)


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load a network saved by ``torch.jit.save``.

    Raises
    ------
    ModelError
        The file holds something else.
    """
    assert model.path is not None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch announces the end of TorchScript at each load
            module = torch.jit.load(str(model.path), map_location=device)
    except Exception as error:  # the reader raises whatever the bytes make it raise
        raise wrong_file_error(model.path, TORCHSCRIPT, error, ADVICE) from error
    module.eval().float()
    return Loaded(
        module=module, identity_fields={"kind": "torchscript", "sha256": sha256(model.path)}, key=model.output.key
    )
