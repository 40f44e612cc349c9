"""A network as a graph of OpenVINO.

Code of Python is traced, TorchScript is frozen, and an ONNX file is read as it is. OpenVINO's own converter is not
called, since it loads a library that reports its use; its front ends are.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]  # public, and left out of its __all__
from torch.jit._trace import TracerWarning

from pipeline.errors import ModelError
from pipeline.models.bn_folding import exported, scripted
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime.network import OnnxNetwork
from pipeline.models.openvino.converted_graph import ConvertedGraph, conversion_reason, onnx_graph
from pipeline.models.openvino.unroll import unrolled
from pipeline.models.output import chosen_name, entries, require_scores


def convert(network: Loaded, shape: Sequence[int]) -> ConvertedGraph:
    """Convert a network.

    Parameters
    ----------
    network
        On the CPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, with which its code is followed.

    Raises
    ------
    ModelError
        OpenVINO knows an operator of it not, or its code cannot be followed.
    """
    try:
        # unoptimised, torch leaves calls in the graphs that it shows
        with warnings.catch_warnings(record=True) as seen, torch.inference_mode(), optimized_execution(True):
            warnings.simplefilter("always")
            if isinstance(network.module, OnnxNetwork):
                return onnx_graph(network.module.path, network.module.output)
            if isinstance(network.module, torch.jit.ScriptModule):
                return _of_script(network, torch.zeros(*shape))
            model, weights = _graph_of(_traced(network, torch.zeros(*shape)), shape[1])
        constants = any(issubclass(warning.category, TracerWarning) for warning in seen)
        return ConvertedGraph(
            model=model,
            weights=weights,
            output=0,
            fixed_numbers=constants and not exported.is_program(network.module),
        )
    except ModelError:
        raise
    except Exception as error:  # whatever the network's code and OpenVINO raise
        raise ModelError(f"OpenVINO cannot take this network ({conversion_reason(error)})") from error


class _Scores(torch.nn.Module):
    """A network that returns nothing but the scores."""

    def __init__(self, module: torch.nn.Module, key: str) -> None:
        super().__init__()
        self.module, self.key = module, key

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → (batch, classes, rows, cols) at whatever size."""
        return require_scores(self.module(x), self.key)


def _traced(network: Loaded, example: torch.Tensor) -> Any:
    scores = _Scores(network.module, network.key)
    scores.training = False  # of this module alone: an exported program refuses eval(), and was exported in it
    return torch.jit.trace(scores, example, check_trace=False, strict=False)


def _of_script(network: Loaded, example: torch.Tensor) -> ConvertedGraph:
    """Weights of what was not frozen are no constants yet, and its loops are loops."""
    module: Any = network.module
    if any(True for _ in module.parameters()):
        module, description = scripted.fold(module)
        if module is None:
            raise ModelError(f"OpenVINO cannot take this network ({description})")
    with optimized_execution(False):
        tensors = entries(network.module(example))
    model, weights = _graph_of(unrolled(module), example.shape[1])
    return ConvertedGraph(
        model=model,
        weights=weights,
        output=[*tensors].index(chosen_name(tensors, network.key)),
        fixed_numbers=False,
    )


def _graph_of(script: Any, bands: int) -> tuple[Any, Any]:
    """The graph, and what holds its weights, which are those of torch.

    TorchScript does not say the dtype of its image. Unsaid, numbers that meet the image have none that compiles.
    """
    from openvino import PartialShape, Type
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(script)
    inputs = frontend.load(decoder)
    (image,) = inputs.get_inputs()
    inputs.set_element_type(image, Type.f32)
    inputs.set_partial_shape(image, PartialShape([-1, bands, -1, -1]))
    return frontend.convert(inputs), decoder
