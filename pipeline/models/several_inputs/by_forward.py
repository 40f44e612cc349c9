"""Networks whose ``forward`` says what they take: Python code and TorchScript."""

from __future__ import annotations

import torch

from pipeline.config import ModelConfig
from pipeline.models.several_inputs.signature import require_named, several_inputs_error, signature_of
from pipeline.models.several_inputs.split_input import SplitInput, as_mapping, by_name


def with_one_image(module: torch.nn.Module, model: ModelConfig) -> torch.nn.Module:
    """A network as one that takes one image; as it is where its config names no inputs.

    Parameters
    ----------
    module
        In eval mode.
    model
        With the bands of each input, where there are several.

    Raises
    ------
    ModelError
        It takes several inputs and the config names none, or other ones.
    """
    signature, place = signature_of(module), model.factory or model.path
    if not model.input_bands:
        if len(signature.required) > 1:
            raise several_inputs_error(place, signature.required)
        return module
    require_named(signature, [entry.name for entry in model.input_bands], place)
    return SplitInput(module, model.input_bands, as_mapping if signature.is_mapping else by_name)
