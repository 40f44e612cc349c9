"""Kinds of models, by name: each loads a file or calls a factory, and gives a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pipeline.config import ModelConfig
from pipeline.config.families import MODEL_KINDS
from pipeline.errors import ModelError
from pipeline.models import classifier, exported, native, onnx, python, smp, torchscript, transformers
from pipeline.models.architectures import NETWORKS
from pipeline.models.check_bands import check_bands
from pipeline.models.descriptions import with_weights_file
from pipeline.models.ensemble import load_ensemble
from pipeline.models.hub import model_on_this_machine
from pipeline.models.loaded import Loaded
from pipeline.models.several_inputs.check_input_bands import check_input_bands
from pipeline.models.several_inputs.signature import one_input_error
from pipeline.models.weights.file_type import check_file

Loader = Callable[[ModelConfig, int, torch.device], Loaded]

KINDS: dict[str, Loader] = {
    "torchscript": torchscript.load,
    "exported": exported.load,
    "onnx": onnx.load,
    "python": python.load,
    "smp": smp.load,
    "transformers": transformers.load,
    "classifier": classifier.load,
    **dict.fromkeys(NETWORKS, native.load),
}
MODEL_KINDS.register(KINDS)

FACTORIES = {"python", "classifier"}
"""Kinds that can do without a file."""
SEVERAL_INPUTS = {"torchscript", "exported", "onnx", "python"}
"""Kinds whose networks may take several inputs."""


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load a network onto a device.

    Parameters
    ----------
    model
        With its kind resolved, or its members; and the bands of each input where there are several.
    bands
        Bands that are read, of all inputs.

    Raises
    ------
    ModelError
        The file is missing, is something else, or does not fit the bands. Of a package, its description cannot be
        used, or its weights are others than that states.
    Unfinished
        It is of a model repository, and neither in the cache nor to be had now.
    """
    if model.members:
        return load_ensemble(model, bands, device, load)
    model = model_on_this_machine(model)
    if model.path is None and model.kind not in FACTORIES:
        raise ModelError(f"model.path is missing: kind {model.kind} needs the file that holds the network.")
    model = with_weights_file(model, bands)
    assert model.kind is not None, "the kind is resolved before a network is loaded"
    if model.path is not None:
        check_file(model.path)
    place = str(model.path or model.factory)
    if model.input_bands:
        return _of_several_inputs(model, bands, device, place)
    network = replace(KINDS[model.kind](model, bands, device), bands=bands)
    check_bands(network, bands, place)
    return network


def _of_several_inputs(model: ModelConfig, bands: int, device: torch.device, place: str) -> Loaded:
    assert model.kind is not None, "the kind is resolved before a network is loaded"
    if model.kind not in SEVERAL_INPUTS:
        raise one_input_error(model.kind, place)
    loaded, inputs = KINDS[model.kind](model, bands, device), model.input_bands
    identity = {**loaded.identity_fields, "inputs": [list(entry) for entry in inputs]}
    network = replace(loaded, bands=bands, inputs=inputs, identity_fields=identity)
    check_input_bands(network, inputs, place)
    return network
