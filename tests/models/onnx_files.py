"""Networks as ONNX files."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
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
