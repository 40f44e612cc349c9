"""``kind: torchscript``: a scripted or traced network. Loading one executes the code it holds."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from pipeline.config import ModelConfig
from pipeline.models.kept_module import kept_module
from pipeline.models.loaded import Loaded
from pipeline.models.several_inputs.by_forward import with_one_image
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
        The file holds something else, or its inputs are others than the config names.
    """
    assert model.path is not None
    path, digest = model.path, sha256(model.path)
    module = kept_module(("torchscript", digest, str(device)), lambda: read_module(path, device).eval().float())
    return Loaded(
        module=with_one_image(module, model),
        identity_fields={"kind": "torchscript", "sha256": digest},
        key=model.output.key,
    )


def read_module(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    """The module of a file. Raises ModelError where the file holds something else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch announces the end of TorchScript at each load
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)
            return module
    except Exception as error:  # the reader raises whatever the bytes make it raise
        raise wrong_file_error(path, TORCHSCRIPT, error, ADVICE) from error
