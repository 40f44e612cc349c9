"""``kind: onnx``: a network in an ONNX file, run by onnxruntime. Nothing in the file is executed but the operators it names."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError, ModelError
from pipeline.interfaces import Accepts
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime import file as onnx_file
from pipeline.models.onnx_runtime.file import OnnxFile, Shape, Value
from pipeline.models.onnx_runtime.network import DTYPES, OnnxGraph, OnnxNetwork
from pipeline.models.output import KEYS
from pipeline.models.weights import sha256
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.optional_imports import need

EXTRA = "onnx"
OLDEST, TARGET = 7, 17
"""The first opset whose operators onnxruntime has, and one to which old ones can be converted."""
NAMES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 16: "bfloat16"}
"""Of types that are not fed."""


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load an ONNX network.

    Raises
    ------
    ExtraError
        onnxruntime is not installed.
    ModelError
        The file holds something else, a part of it is missing, onnxruntime does not run it, or what it takes is no image of these bands.
    """
    assert model.path is not None
    runtime = need("onnxruntime", EXTRA, "model.kind onnx")
    file = onnx_file.read(model.path)
    taken, output = _taken(file, model.path), _output(file, model.output.key, model.path)
    accepts = _accepts(taken.shape, model.path)
    if taken.shape[1:2] not in ((None,), (bands,), ()):
        wanted = taken.shape[1] or 0
        raise BandsError(f"{bands} bands are read, but the network in {model.path} takes {wanted} bands. Choose them with source.bands, in its order.", wanted)
    said = {"kind": "onnx", "sha256": sha256(model.path), "output": output, **_outside(file, model.path)}
    _check_device(runtime, device)
    network = _opened(model.path, file, taken, output, device).eval()
    return Loaded(module=network, said=said, key=model.output.key, accepts=accepts, graph=OnnxGraph(network, accepts.batch or 1))


def _taken(file: OnnxFile, path: Path) -> Value:
    """The one image that goes in."""
    if len(file.inputs) != 1:
        found = ", ".join(value.name for value in file.inputs) or "none"
        raise ModelError(f"The network in {path} takes {len(file.inputs)} inputs ({found}); it must take one image. Export the network alone.")
    taken = file.inputs[0]
    if len(taken.shape) not in (0, 4):
        raise ModelError(f"The network in {path} takes {_said(taken.shape)}; it must take one image of (batch, bands, rows, cols). Export the network alone.")
    if onnx_file.channels_last(taken.shape):
        raise ModelError(
            f"The network in {path} takes {_said(taken.shape)}, bands last; it must take (batch, bands, rows, cols). "
            f"Convert it again with tf2onnx's --inputs-as-nchw {taken.name} and --outputs-as-nchw, or put a Transpose before and after it."
        )
    if taken.dtype not in DTYPES:
        raise ModelError(
            f"The network in {path} takes pixels of type {NAMES.get(taken.dtype, taken.dtype)}; it is given float32, normalised by model.input. "
            "Export it with an input of float32 or float16, without what it does to whole numbers first."
        )
    return taken


def _said(shape: Shape) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def _output(file: OnnxFile, key: str, path: Path) -> str:
    """The output that holds the logits: the one named, else out or logits, else the first of four axes, else the first."""
    names = [value.name for value in file.outputs]
    if key != "auto":
        place = int(key) if key.removeprefix("-").isdecimal() else len(names)
        found = key if key in names else names[place] if -len(names) <= place < len(names) else None
        if found is None:
            raise ModelError(f"model.output.key is {key!r}, but the network in {path} returns {', '.join(names)}. Name one of them, or its place from 0.")
        return found
    maps = [value.name for value in file.outputs if len(value.shape) == 4]
    candidates = [*(name for name in KEYS if name in names), *maps, *names]
    if not candidates:
        raise ModelError(f"The network in {path} returns nothing. Export it with its logits as an output.")
    return candidates[0]


def _accepts(shape: Shape, path: Path) -> Accepts:
    batch, _, rows, cols = shape or (None,) * 4
    fixed = {size for size in (rows, cols) if size is not None}
    if len(fixed) > 1:
        raise ModelError(f"The network in {path} takes rows of {rows} px and cols of {cols} px, so no tile can be square. Export it with rows and cols alike.")
    side = next(iter(fixed), None)
    return Accepts(minimum=side or 1, maximum=side, batch=batch)


def _outside(file: OnnxFile, path: Path) -> dict[str, str]:
    """One hash of all files beside the model that hold its weights; nothing where it holds them itself."""
    strays = [place for place in file.locations if Path(place).is_absolute() or ".." in Path(place).parts]
    if strays:
        raise ModelError(f"The network in {path} keeps weights in {', '.join(strays[:3])}, outside its folder, which is not read. Save them beside it.")
    missing = [place for place in file.locations if not (path.parent / place).is_file()]
    if missing:
        raise ModelError(f"The network in {path} keeps weights in {', '.join(missing[:3])}, which is not beside it. Copy that file there, under that name.")
    hashes = [f"{place} {sha256(path.parent / place)}" for place in file.locations]
    return {"external": hashlib.sha256("\n".join(hashes).encode()).hexdigest()} if hashes else {}


def _check_device(runtime: Any, device: torch.device) -> None:
    if device.type == "cpu":
        return
    there = runtime.get_available_providers()
    if device.type != "cuda" or "CUDAExecutionProvider" not in there:
        raise ModelError(
            f"execution.device is {device}, but the onnxruntime installed here runs on {', '.join(there)} only. Install onnxruntime-gpu in its place "
            "(pip uninstall onnxruntime; pip install onnxruntime-gpu), or set execution.device: cpu."
        )


def _opened(path: Path, file: OnnxFile, taken: Value, output: str, device: torch.device) -> OnnxNetwork:
    try:
        network = OnnxNetwork(path, file, taken, output, device)
    except Exception as error:  # onnxruntime raises whatever the bytes make it raise
        raise ModelError(f"model.path {path} is an ONNX network, but {_why(str(error), path, file, error)}") from error
    if device.type == "cuda" and "CUDAExecutionProvider" not in network.session().get_providers():
        raise ModelError(
            f"execution.device is {device}, but onnxruntime could not start there, most often for want of its own CUDA and cuDNN. "
            "Install those that its release asks for, or set execution.device: cpu."
        )
    return network


def _why(said: str, path: Path, file: OnnxFile, error: Exception) -> str:
    """What onnxruntime does not like, and what to do."""
    import onnxruntime

    here = f"onnxruntime {onnxruntime.__version__}"
    if found := re.search(r"domain (\S+) is till opset (\d+)", said):
        return (
            f"of opset {file.opset}, and {here} knows {found[1]} up to opset {found[2]}. "
            "Upgrade onnxruntime, or export the network with a lower opset (opset_version of torch.onnx.export)."
        )
    if found := re.search(r"model IR version: (\d+), max supported IR version: (\d+)", said):
        return f"of IR version {found[1]}, and {here} reads up to {found[2]}. Upgrade onnxruntime, or export the network with an older onnx."
    if file.opset < OLDEST:
        change = f'import onnx, onnx.version_converter as v; onnx.save(v.convert_version(onnx.load({json.dumps(str(path))}), {TARGET}), "newer.onnx")'
        return (
            f"of opset {file.opset}, and {here} runs networks from opset {OLDEST} on. Convert it once, with the package onnx installed: "
            f"python -c {shlex.quote(change)}, and give newer.onnx as model.path. Where that fails, export it again."
        )
    if found := re.search(r"opset import for domain '([^']*)'|(\S+)\(-?\d+\) is not a registered|No Op registered for (\S+)", said):
        strange = sorted({f"{node.domain}:{node.kind}" for node in file.nodes if node.domain not in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")})
        named = ", ".join(strange[:3]) or next(group for group in found.groups() if group)
        return f"{here} does not know its operator {named}. Export the network without operators of another library, or upgrade onnxruntime."
    return f"cannot be opened by {here}: {first_line(error)}. Export it again, and try it with onnx.checker."
