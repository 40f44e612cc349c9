"""``kind: onnx``: a network in an ONNX file, run by onnxruntime.

Nothing in the file is executed but the operators it names.
"""

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
from pipeline.interfaces import InputConstraints
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime import file as onnx_file
from pipeline.models.onnx_runtime.file import EXTRA, OnnxFile, Shape, Value
from pipeline.models.onnx_runtime.network import INPUT_DTYPES, OnnxGraph, OnnxNetwork
from pipeline.models.output import KEYS
from pipeline.models.several_inputs.signature import Signature, require_named, several_inputs_error
from pipeline.models.several_inputs.sizes import common_constraints, no_image_error, require_input_bands
from pipeline.models.weights import sha256
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.backends import backend_of
from pipeline.runtime.optional_imports import require

OLDEST, TARGET = 7, 17
"""The first opset whose operators onnxruntime has, and one to which old ones can be converted."""
DTYPE_NAMES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 16: "bfloat16"}
"""Of types that are not fed."""


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load an ONNX network.

    Raises
    ------
    ExtraError
        onnxruntime or onnx is not installed.
    ModelError
        The file holds something else, a part of it is missing, onnxruntime does not run it, or what it takes is no
        image of these bands.
    """
    assert model.path is not None
    runtime = require("onnxruntime", EXTRA, "model.kind onnx")
    file = onnx_file.read_onnx(model.path)
    image_inputs, output = _image_inputs(file, model, bands), _output(file, model.output.key, model.path)
    each = {value.name: _accepts(value.shape, model.path) for value in image_inputs}
    accepts = common_constraints(each, model.path)
    identity = {"kind": "onnx", "sha256": sha256(model.path), "output": output, **_external_weights(file, model.path)}
    _check_device(runtime, device)
    network = _open_network(model, file, image_inputs, output, device).eval()
    return Loaded(
        module=network,
        identity_fields=identity,
        key=model.output.key,
        accepts=accepts,
        input_dtype=str(INPUT_DTYPES[image_inputs[0].dtype]).removeprefix("torch."),
        graph=OnnxGraph(network, accepts.batch or 1),
    )


def _image_inputs(file: OnnxFile, model: ModelConfig, bands: int) -> tuple[Value, ...]:
    """The images that go in: one of all bands, or those that the config names."""
    assert model.path is not None
    names = [value.name for value in file.inputs]
    if model.input_bands:
        require_named(Signature(required=tuple(names)), [entry.name for entry in model.input_bands], model.path)
        declared = {value.name: _require_image(value, model.path).shape[1:2] for value in file.inputs}
        for entry in model.input_bands:
            require_input_bands(next(iter(declared[entry.name]), None), entry.bands, entry.name, model.path)
        return file.inputs
    if len(file.inputs) > 1 and all(len(value.shape) == 4 for value in file.inputs):
        raise several_inputs_error(model.path, names)
    if len(file.inputs) != 1:
        raise ModelError(
            f"The network in {model.path} takes {len(file.inputs)} inputs ({', '.join(names) or 'none'}); it must take "
            f"one image, or several, all of (batch, bands, rows, cols). Export the network alone."
        )
    image_input = _require_image(file.inputs[0], model.path)
    if image_input.shape[1:2] not in ((None,), (bands,), ()):
        expected = image_input.shape[1] or 0
        raise BandsError(
            f"{bands} bands are read, but the network in {model.path} takes {expected} bands. Choose them "
            f"with source.bands, in its order.",
            expected,
        )
    return (image_input,)


def _require_image(value: Value, path: Path) -> Value:
    """An input, where it takes images that are fed; raises ModelError where it does not."""
    if len(value.shape) not in (0, 4):
        raise no_image_error(value.name, _shape_text(value.shape), path)
    if onnx_file.channels_last(value.shape):
        raise ModelError(
            f"The network in {path} takes {_shape_text(value.shape)}, bands last; it must take "
            f"(batch, bands, rows, cols). "
            f"Convert it again with tf2onnx's --inputs-as-nchw {value.name} and --outputs-as-nchw, or "
            f"put a Transpose before and after it."
        )
    if value.dtype not in INPUT_DTYPES:
        raise ModelError(
            f"The network in {path} takes pixels of type "
            f"{DTYPE_NAMES.get(value.dtype, value.dtype)}; it is given float32, normalised "
            f"by model.input. "
            "Export it with an input of float32 or float16, without what it does to whole numbers first."
        )
    return value


def _shape_text(shape: Shape) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def _output(file: OnnxFile, key: str, path: Path) -> str:
    """The output that holds the logits.

    The one named, else out or logits, else the first of four axes, else the first.
    """
    names = [value.name for value in file.outputs]
    if key != "auto":
        index = int(key) if key.removeprefix("-").isdecimal() else len(names)
        chosen = key if key in names else names[index] if -len(names) <= index < len(names) else None
        if chosen is None:
            raise ModelError(
                f"model.output.key is {key!r}, but the network in {path} returns {', '.join(names)}. Name "
                f"one of them, or its place from 0."
            )
        return chosen
    maps = [value.name for value in file.outputs if len(value.shape) == 4]
    candidates = [*(name for name in KEYS if name in names), *maps, *names]
    if not candidates:
        raise ModelError(f"The network in {path} returns nothing. Export it with its logits as an output.")
    return candidates[0]


def _accepts(shape: Shape, path: Path) -> InputConstraints:
    batch, _, rows, cols = shape or (None,) * 4
    fixed = {size for size in (rows, cols) if size is not None}
    if len(fixed) > 1:
        raise ModelError(
            f"The network in {path} takes rows of {rows} px and cols of {cols} px, so no tile can be "
            f"square. Export it with rows and cols alike."
        )
    side = next(iter(fixed), None)
    return InputConstraints(minimum=side or 1, maximum=side, batch=batch)


def _external_weights(file: OnnxFile, path: Path) -> dict[str, str]:
    """One hash of all files beside the model that hold its weights; nothing where it holds them itself."""
    strays = [place for place in file.locations if Path(place).is_absolute() or ".." in Path(place).parts]
    if strays:
        raise ModelError(
            f"The network in {path} keeps weights in {', '.join(strays[:3])}, outside its folder, which is "
            f"not read. Save them beside it."
        )
    missing = [place for place in file.locations if not (path.parent / place).is_file()]
    if missing:
        raise ModelError(
            f"The network in {path} keeps weights in {', '.join(missing[:3])}, which is not beside it. Copy "
            f"that file there, under that name."
        )
    hashes = [f"{place} {sha256(path.parent / place)}" for place in file.locations]
    return {"external": hashlib.sha256("\n".join(hashes).encode()).hexdigest()} if hashes else {}


def _check_device(runtime: Any, device: torch.device) -> None:
    providers = runtime.get_available_providers()
    if backend_of(device).provider not in providers:
        raise ModelError(
            f"execution.device is {device}, but the onnxruntime installed here runs on "
            f"{', '.join(providers)} only. Install onnxruntime-gpu in its place "
            "(pip uninstall onnxruntime; pip install onnxruntime-gpu), or set execution.device: cpu."
        )


def _open_network(
    model: ModelConfig, file: OnnxFile, image_inputs: tuple[Value, ...], output: str, device: torch.device
) -> OnnxNetwork:
    path = model.path
    assert path is not None
    try:
        network = OnnxNetwork(path, file, image_inputs, output, device, model.input_bands)
    except Exception as error:  # onnxruntime raises whatever the bytes make it raise
        raise ModelError(
            f"model.path {path} is an ONNX network, but {_explain_error(str(error), path, file, error)}"
        ) from error
    if backend_of(device).provider not in network.session().get_providers():
        raise ModelError(
            f"execution.device is {device}, but onnxruntime could not start there, most often for want of "
            f"its own CUDA and cuDNN. "
            "Install those that its release asks for, or set execution.device: cpu."
        )
    return network


def _explain_error(message: str, path: Path, file: OnnxFile, error: Exception) -> str:
    """What onnxruntime does not like, and what to do."""
    import onnxruntime

    release = f"onnxruntime {onnxruntime.__version__}"
    if match := re.search(r"domain (\S+) is till opset (\d+)", message):
        return (
            f"of opset {file.opset}, and {release} knows {match[1]} up to opset {match[2]}. "
            "Upgrade onnxruntime, or export the network with a lower opset (opset_version of torch.onnx.export)."
        )
    if match := re.search(r"model IR version: (\d+), max supported IR version: (\d+)", message):
        return (
            f"of IR version {match[1]}, and {release} reads up to {match[2]}. Upgrade onnxruntime, or "
            f"export the network with an older onnx."
        )
    if file.opset < OLDEST:
        change = (
            f"import onnx, onnx.version_converter as v; "
            f'onnx.save(v.convert_version(onnx.load({json.dumps(str(path))}), {TARGET}), "newer.onnx")'
        )
        return (
            f"of opset {file.opset}, and {release} runs networks from opset {OLDEST} on. Convert it once, "
            f"with the package onnx installed: "
            f"python -c {shlex.quote(change)}, and give newer.onnx as model.path. Where that fails, export it again."
        )
    if match := re.search(
        r"opset import for domain '([^']*)'|(\S+)\(-?\d+\) is not a registered|No Op registered for (\S+)", message
    ):
        strange = sorted(
            {
                f"{node.domain}:{node.kind}"
                for node in file.nodes
                if node.domain not in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
            }
        )
        operator = ", ".join(strange[:3]) or next(group for group in match.groups() if group)
        return (
            f"{release} does not know its operator {operator}. Export the network without operators of "
            f"another library, or upgrade onnxruntime."
        )
    return f"cannot be opened by {release}: {first_line(error)}. Export it again, and try it with onnx.checker."
