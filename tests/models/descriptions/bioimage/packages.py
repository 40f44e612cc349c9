"""Model packages as bioimage.io has them, made on the spot: descriptions of both formats, weights, test images."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from tests import networks, scenes
from tests.models.onnx_files import to_onnx

SIDE = 32
"""Of the test image, px."""
WEIGHTS = {"torchscript": "weights.pt", "onnx": "weights.onnx", "pytorch_state_dict": "weights.pth"}
SAMPLE_STEPS = {
    "0.4": [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "xy"}}],
    "0.5": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}],
}
SIGMOID = {"0.4": [{"name": "sigmoid"}], "0.5": [{"id": "sigmoid"}]}


def network(channels: int = 1) -> nn.Module:
    """3 bands to logits, by 3×3 convolutions: radius 2."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return networks.Twice(3, channels).eval()


@cache
def _weights(channels: int, format_name: str) -> bytes:
    """A file of weights, made once per process."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / WEIGHTS[format_name]
        if format_name == "onnx":
            to_onnx(network(channels), path, (1, 3, SIDE, SIDE))
        elif format_name == "torchscript":
            scenes.script(network(channels), path)
        else:
            torch.save(network(channels).state_dict(), path)
        return path.read_bytes()


def image() -> np.ndarray:
    """(1, 3, rows, cols) float32, as pixels of a scene are."""
    return np.random.default_rng(1).normal(500, 150, (1, 3, SIDE, SIDE)).astype("float32")


def standardised(pixels: np.ndarray) -> np.ndarray:
    """Each band by its own mean and deviation."""
    return (pixels - pixels.mean((2, 3), keepdims=True)) / (pixels.std((2, 3), keepdims=True) + 1e-6)


def answer(pixels: np.ndarray, channels: int = 1) -> np.ndarray:
    """What the network with a sigmoid makes of pixels that are normalised."""
    with torch.inference_mode():
        return torch.sigmoid(network(channels)(torch.from_numpy(pixels).float())).numpy()


def package(
    folder: Path,
    version: str = "0.5",
    *,
    weights: tuple[str, ...] = ("torchscript", "onnx"),
    channels: int = 1,
    before: list[dict[str, Any]] | None = None,
    after: list[dict[str, Any]] | None = None,
    expected: np.ndarray | None = None,
    **changes: Any,
) -> Path:
    """A folder with ``rdf.yaml``, weights and a test image; sections of ``changes`` take the place of others."""
    folder.mkdir(parents=True, exist_ok=True)
    before = SAMPLE_STEPS[version] if before is None else before
    after = SIGMOID[version] if after is None else after
    for name in weights:
        (folder / WEIGHTS[name]).write_bytes(_weights(channels, name))
    np.save(folder / "test_input.npy", image())
    np.save(folder / "test_output.npy", answer(standardised(image()), channels) if expected is None else expected)
    made = {"0.4": _format_0_4, "0.5": _format_0_5}[version](folder, weights, channels, before, after)
    write(folder, {**made, **changes})
    return folder


def write(folder: Path, document: dict[str, Any]) -> None:
    (folder / "rdf.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def document(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "rdf.yaml").read_text()))


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(folder: Path, name: str) -> dict[str, Any]:
    return {"source": name, "sha256": digest(folder / name)}


COMMON = {
    "type": "model",
    "name": "cells of a test",
    "description": "A small network.",
    "authors": [{"name": "A. Author"}],
    "cite": [{"text": "none", "url": "https://example.org"}],
    "license": "MIT",
    "documentation": "README.md",
}


def _format_0_4(
    folder: Path, weights: tuple[str, ...], channels: int, before: list[Any], after: list[Any]
) -> dict[str, Any]:
    entries = {name: entry(folder, WEIGHTS[name]) for name in weights}
    if "pytorch_state_dict" in entries:
        entries["pytorch_state_dict"] |= {"architecture": "net.py:make", "kwargs": {"channels": channels}}
    return {
        **COMMON,
        "format_version": "0.4.10",
        "timestamp": "2024-01-01T00:00:00",
        "inputs": [
            {
                "name": "raw",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": {"min": [1, 3, 16, 16], "step": [0, 0, 8, 8]},
                "preprocessing": before,
            }
        ],
        "outputs": [
            {
                "name": "scores",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]},
                "halo": [0, 0, 4, 4],
                "postprocessing": after,
            }
        ],
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "weights": entries,
    }


def _format_0_5(
    folder: Path, weights: tuple[str, ...], channels: int, before: list[Any], after: list[Any]
) -> dict[str, Any]:
    size = {"min": 16, "step": 8}
    space = [{"type": "space", "id": name, "size": size, "unit": "micrometer", "scale": 0.5} for name in "yx"]
    del space[1]["id"]  # x is the default
    same = [
        {
            "type": "space",
            "id": name,
            "size": {"tensor_id": "raw", "axis_id": name},
            "unit": "micrometer",
            "scale": 0.5,
            "halo": 4,
        }
        for name in "yx"
    ]
    names = ["nucleus", "membrane", "debris"][:channels]
    entries = {name: {**entry(folder, WEIGHTS[name]), "pytorch_version": "2.0"} for name in weights}
    if "onnx" in entries:
        entries["onnx"] = {**entry(folder, WEIGHTS["onnx"]), "opset_version": 18}
    if "pytorch_state_dict" in entries:
        code = {"source": "net.py", "callable": "make", "kwargs": {"channels": channels}}
        entries["pytorch_state_dict"]["architecture"] = code
    return {
        **COMMON,
        "format_version": "0.5.3",
        "inputs": [
            {
                "id": "raw",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["dapi", "actin", "tubulin"]},
                    *space,
                ],
                "test_tensor": entry(folder, "test_input.npy"),
                "data": {"type": "float32"},
                "preprocessing": before,
            }
        ],
        "outputs": [
            {
                "id": "scores",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names}, *same],
                "test_tensor": entry(folder, "test_output.npy"),
                "postprocessing": after,
            }
        ],
        "weights": entries,
    }
