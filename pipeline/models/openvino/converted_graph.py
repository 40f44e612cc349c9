"""A network as a graph of OpenVINO, however it was made: nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUMMARIES = ("No conversion rule found for operations: ", "Conversion is failed for: ")
"""Before the names of operators that OpenVINO does not know, at the end of its messages; the first tells more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedGraph:
    """A network as OpenVINO has it."""

    model: Any
    """``openvino.Model`` of one input, of any size."""
    weights: Any
    """What the weights of the graph live in, where they are torch's own."""
    output: int
    """Which of its outputs are the logits."""
    fixed_numbers: bool
    """Whether its code took numbers of the image for constants, which may be others for another image or size."""

    @property
    def operators(self) -> frozenset[str]:
        """OpenVINO's names of its operators."""
        return frozenset(operation.get_type_name() for operation in self.model.get_ops())


def onnx_graph(path: Path, output_name: str) -> ConvertedGraph:
    """The graph of an ONNX file, which OpenVINO reads as it is."""
    import openvino

    model = openvino.Core().read_model(str(path))
    names = [output.get_names() for output in model.outputs]
    output = next(place for place, labels in enumerate(names) if output_name in labels)
    return ConvertedGraph(model=model, weights=None, output=output, fixed_numbers=False)


def conversion_reason(error: Exception) -> str:
    """Why OpenVINO does not take a network, of its message of many lines: the operators, else the last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for summary in SUMMARIES:
        if names := [line.partition(summary)[2] for line in lines if summary in line]:
            return f"it does not know {names[0]}"
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
