"""Converted graphs, kept in the cache folder: a network that was seen before is not converted again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.models.kept_conversion import KeptConversion
from pipeline.models.loaded import Loaded
from pipeline.models.openvino.converted_graph import ConvertedGraph, onnx_graph
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.runtime.record_files import torch_release

GRAPH_VERSION = 1
"""Raised when conversion changes, so that networks are converted again."""
GRAPH, WEIGHTS, RECORD = "graph.xml", "graph.bin", "graph.json"


def kept_graph(network: Loaded, shape: Sequence[int]) -> ConvertedGraph:
    """The graph of a network: the one that was kept of the same bytes, else converted now, and kept.

    Parameters
    ----------
    network
        On the CPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, with which its code is followed.

    Raises
    ------
    ModelError
        OpenVINO cannot take it.
    """
    from pipeline.models.openvino.convert import convert
    from pipeline.models.whole_file import is_whole_file

    if not is_whole_file(network):
        return convert(network, shape)
    kept = _conversion_of(network, shape)
    if (graph := _read(kept)) is not None:
        return graph
    converted = convert(network, shape)
    kept.write(
        lambda folder: _save(converted, folder),
        {"output": converted.output, "fixed_numbers": converted.fixed_numbers},
    )
    return converted


def recorded_graph(network: RecordedNetwork, shape: Sequence[int]) -> ConvertedGraph | None:
    """The graph of a recorded network, without torch: that of its ONNX file, or the one that was kept; else None."""
    if network.runs_outside:
        return onnx_graph(network.path, network.identity_fields["output"])
    return _read(_conversion_of(network, shape))


def _conversion_of(network: Loaded, shape: Sequence[int]) -> KeptConversion:
    return KeptConversion(runtime="openvino", key=_key(network, shape), files=(GRAPH, WEIGHTS), record=RECORD)


def _key(network: Loaded, shape: Sequence[int]) -> str:
    """All that decides the graph: the network, the image that its code is followed with, and what follows it."""
    releases = [GRAPH_VERSION, torch_release(), version("openvino")]
    return json.dumps([*releases, network.identity(), network.folded, list(shape)], sort_keys=True, default=str)


def _read(kept: KeptConversion) -> ConvertedGraph | None:
    """None where there is none that may be read."""
    import openvino

    record = kept.read()
    if record is None:
        return None
    try:
        model: Any = openvino.Core().read_model(str(kept.folder / GRAPH), str(kept.folder / WEIGHTS))
        return ConvertedGraph(
            model=model, weights=None, output=int(record["output"]), fixed_numbers=bool(record["fixed_numbers"])
        )
    except (KeyError, TypeError, RuntimeError):  # the last one is OpenVINO's
        return None


def _save(converted: ConvertedGraph, folder: Path) -> None:
    import openvino

    openvino.save_model(converted.model, str(folder / GRAPH), compress_to_fp16=False)
