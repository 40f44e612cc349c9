"""``kind: torchscript``: a scripted or traced network. Loading one executes the code it holds."""

from __future__ import annotations

import warnings

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.weights import sha256


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
    except (RuntimeError, ValueError, EOFError) as error:
        raise ModelError(
            f"model.path {model.path} is not a TorchScript network ({str(error).strip().splitlines()[0][:160]}). Save one with torch.jit.script(net).save(…); "
            "for a state dict, use model.kind: python with a factory, and for torch.export, kind: exported."
        ) from error
    module.eval()
    return Loaded(module=module, said={"kind": "torchscript", "sha256": sha256(model.path)}, key=model.output.key)
