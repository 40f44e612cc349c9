"""Kinds of models, by name: each loads a file or calls a factory, and gives a network."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.config import ModelConfig
from pipeline.config.families import MODEL_KINDS
from pipeline.errors import ModelError
from pipeline.models.check_bands import check_bands
from pipeline.models.descriptions import with_weights_file
from pipeline.models.ensemble import load_ensemble
from pipeline.models.hub import model_on_this_machine
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import write_network_record
from pipeline.models.weights.file_type import check_file
from pipeline.runtime.collection import without_collection

if TYPE_CHECKING:
    import torch


Loader = Callable[[ModelConfig, int, "torch.device"], Loaded]
LOADING_MODULES = ("torchscript", "exported", "onnx", "python", "smp", "transformers", "classifier")
"""Kinds that have a module of their name; every other kind of the package is a network of ours."""


def _loader(module: str) -> Loader:
    """What loads a kind; its module, and torch with it, is imported when a network is loaded."""

    def load_by_module(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
        with without_collection():
            loader: Loader = importlib.import_module(f"{__name__}.{module}").load
        return loader(model, bands, device)

    return load_by_module


KINDS: dict[str, Loader] = {kind: _loader(kind if kind in LOADING_MODULES else "native") for kind in MODEL_KINDS.names}
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
    model = model_with_file(model, bands)
    assert model.kind is not None, "the kind is resolved before a network is loaded"
    place = str(model.path or model.factory)
    if model.input_bands:
        return _of_several_inputs(model, bands, device, place)
    network = replace(KINDS[model.kind](model, bands, device), bands=bands)
    check_bands(network, bands, place)
    write_network_record(model, bands, network)
    return network


def model_with_file(model: ModelConfig, bands: int) -> ModelConfig:
    """A model whose path is the file of its weights on this machine, looked at as far as its first bytes.

    Raises
    ------
    ModelError
        The file is missing, or is something else.
    Unfinished
        It is of a model repository, and neither in the cache nor to be had now.
    """
    model = model_on_this_machine(model)
    if model.path is None and model.kind not in FACTORIES:
        raise ModelError(f"model.path is missing: kind {model.kind} needs the file that holds the network.")
    model = with_weights_file(model, bands)
    if model.path is not None:
        check_file(model.path)
    return model


def _of_several_inputs(model: ModelConfig, bands: int, device: torch.device, place: str) -> Loaded:
    assert model.kind is not None, "the kind is resolved before a network is loaded"
    from pipeline.models.several_inputs.check_input_bands import check_input_bands
    from pipeline.models.several_inputs.signature import one_input_error

    if model.kind not in SEVERAL_INPUTS:
        raise one_input_error(model.kind, place)
    loaded, inputs = KINDS[model.kind](model, bands, device), model.input_bands
    identity = {**loaded.identity_fields, "inputs": [list(entry) for entry in inputs]}
    network = replace(loaded, bands=bands, inputs=inputs, identity_fields=identity)
    check_input_bands(network, inputs, place)
    return network
