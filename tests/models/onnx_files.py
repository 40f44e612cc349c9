"""Networks as ONNX files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn


def to_onnx(
    network: nn.Module,
    path: Path,
    shape: tuple[int, ...] = (1, 3, 64, 96),
    *,
    fixed: bool = False,
    names: tuple[str, ...] = ("y",),
    **more: int,
) -> Path:
    """Export with rows, cols and batch that vary, or with the shape alone."""
    axes = (
        None
        if fixed
        else {"image": {0: "n", 2: "rows", 3: "cols"}, **{name: {0: "n", 2: "rows", 3: "cols"} for name in names}}
    )
    dtype = next(iter(network.parameters())).dtype
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter is announced to end, and is what most files were made with
        torch.onnx.export(
            network.eval(),
            (torch.rand(shape, dtype=dtype),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=list(names),
            dynamic_axes=axes,
            opset_version=more.get("opset", 18),
        )
    return path


def described_convolution(path: Path, bands: int = 3, channels: int = 1, **metadata: str) -> Path:
    """A 1 × 1 convolution whose weights are 1 ÷ bands, with metadata: written without torch, in a millisecond."""
    weights = numpy_helper.from_array(np.full((channels, bands, 1, 1), 1 / bands, "float32"), "weights")
    image, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "rows", "cols"])
        for name, count in (("image", bands), ("scores", channels))
    )
    node = helper.make_node("Conv", ["image", "weights"], ["scores"])
    graph = helper.make_graph([node], "convolution", [image], [scores], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
