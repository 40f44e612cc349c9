"""Which inputs the network of a config takes, before its sources are opened."""

from __future__ import annotations

import torch

from pipeline.config import ModelConfig
from pipeline.models import exported, python, torchscript
from pipeline.models.onnx_runtime.file import read_onnx
from pipeline.models.several_inputs.by_program import program_inputs
from pipeline.models.several_inputs.signature import Signature, signature_of


def read_signature(model: ModelConfig) -> Signature | None:
    """The inputs of a network by its file or its code; None of kinds that take one image.

    Parameters
    ----------
    model
        Whose file, where it has one, is on this machine.

    Raises
    ------
    ConfigError, ModelError
        Its file or its factory cannot be used.
    """
    if model.kind == "python":
        return python.factory_signature(model)
    if model.path is None:
        return None
    if model.kind == "torchscript":
        return signature_of(torchscript.read_module(model.path, torch.device("cpu")))
    if model.kind == "exported":
        return Signature(
            required=tuple(one.name for one in program_inputs(exported.read_program_file(model.path, model.trust)))
        )
    if model.kind == "onnx":
        return Signature(required=tuple(value.name for value in read_onnx(model.path).inputs))
    return None
