"""What an ONNX file says of itself: shapes, operators and metadata.

The library ``onnx`` reads the whole file; its weights are let go with the message, once these few facts are taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ModelError
from pipeline.models.weights.file_type import ONNX, UNKNOWN_FILE, detect_file_type, wrong_file_error
from pipeline.runtime.optional_imports import require

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

EXTRA = "onnx"
Shape = tuple[int | None, ...]
"""Lengths of a tensor's axes, None where they may vary."""

SMALL_TENSOR_BYTES = 64
"""Bytes of tensors whose numbers are read: axes, sizes and scales, never weights."""
MAX_FILE_BYTES = 2**31 - 1
"""The longest message of Protocol Buffers."""
FORMATS = {1: "f", 6: "i", 7: "q", 11: "d"}
"""How a tensor's numbers are packed, by its type."""
LISTS = {1: ("float_data", 4), 6: ("int32_data", 1), 7: ("int64_data", 1), 11: ("double_data", 8)}
"""What lists a tensor's numbers where they are not packed in one piece, and the fewest bytes of each, by its type."""
EXTERNAL = 1
"""Location of a tensor in a file beside the model."""
ONNX_ADVICE = "Write it again, or fetch it again if it was cut short."


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An input or output of the graph."""

    name: str
    dtype: int
    """Number of its type, as in ``onnx.TensorProto``."""
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A weight or constant."""

    shape: tuple[int, ...]
    values: tuple[float, ...] | None
    """Its numbers, where they are few."""
    location: str | None
    """The file beside the model that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation of the graph."""

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    captures: frozenset[str]
    """Names of outer values that its branches use."""
    tensors: tuple[Tensor, ...]
    """Tensors among its attributes and in its branches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """An ONNX file without its weights."""

    metadata: dict[str, str]
    opset: int
    """Version of the operators of ONNX itself; 0 where it uses none."""
    inputs: tuple[Value, ...]
    """Without those that weights fill."""
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    weights: dict[str, Tensor]

    @property
    def locations(self) -> tuple[str, ...]:
        """Files beside the model that hold its weights."""
        tensors = chain(self.weights.values(), (tensor for node in self.nodes for tensor in node.tensors))
        return tuple(sorted({tensor.location for tensor in tensors if tensor.location is not None}))


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file but for its weights.

    Raises
    ------
    ExtraError
        onnx is not installed.
    ModelError
        It is no ONNX file, a part of one, or too long.
    """
    if detect_file_type(path) not in (ONNX, UNKNOWN_FILE):
        raise wrong_file_error(path, ONNX, ValueError(), ONNX_ADVICE)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ModelError(
            f"model.path {path} has more than 2 GiB, which is the most that one ONNX file can have. "
            "Export it again with its weights in a file beside it."
        )
    require("onnx", EXTRA, "model.kind onnx")
    state = path.stat()
    return _read_once(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _read_once(path: Path, size: int, modified: int) -> OnnxFile:
    """Once for each state of a file: its description and its loader both ask."""
    library = require("onnx", EXTRA, "model.kind onnx")
    from google.protobuf.message import DecodeError  # it comes with onnx

    try:
        model = _model(library.load(path, format="protobuf", load_external_data=False))
    except (ValueError, DecodeError, struct.error) as error:
        raise ModelError(f"model.path {path} is no ONNX file, or a part of one ({error}). {ONNX_ADVICE}") from error
    if model is None:
        raise ModelError(f"model.path {path} holds no ONNX graph. Give the file with the whole network.")
    return model


def image_channels(values: Iterable[Value]) -> int | None:
    """Channels of the first image among inputs or outputs; None where they may vary, or come last."""
    shapes = (value.shape for value in values if len(value.shape) == 4)
    return next((None if channels_last(shape) else shape[1] for shape in shapes), None)


def channels_last(shape: Shape) -> bool:
    """Whether an input is (batch, rows, cols, bands), as TensorFlow has them.

    Two axes alike before a short one of a fixed length.
    """
    return (
        len(shape) == 4 and shape[3] is not None and shape[1] == shape[2] and (shape[1] is None or shape[1] > shape[3])
    )


def _model(model: ModelProto) -> OnnxFile | None:
    graph = model.graph
    if not graph.ListFields():
        return None
    weights = {_text(tensor.name): _tensor(tensor) for tensor in graph.initializer}
    opsets = {_text(entry.domain): entry.version for entry in model.opset_import}
    return OnnxFile(
        metadata={_text(entry.key): _text(entry.value) for entry in model.metadata_props},
        opset=opsets.get("", opsets.get("ai.onnx", 0)),
        inputs=tuple(value for value in map(_value, graph.input) if value.name not in weights),
        outputs=tuple(map(_value, graph.output)),
        nodes=tuple(map(_node, graph.node)),
        weights=weights,
    )


def _value(value: ValueInfoProto) -> Value:
    tensor = value.type.tensor_type
    shape = tuple(axis.dim_value if axis.dim_value > 0 else None for axis in tensor.shape.dim)
    return Value(name=_text(value.name), dtype=tensor.elem_type, shape=shape)


def _tensor(tensor: TensorProto) -> Tensor:
    external_data = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
    return Tensor(
        shape=tuple(tensor.dims),
        values=_numbers(tensor),
        location=external_data.get("location") if tensor.data_location == EXTERNAL else None,
    )


def _numbers(tensor: TensorProto) -> tuple[float, ...] | None:
    if tensor.data_type not in FORMATS or tensor.data_location == EXTERNAL:
        return None
    if tensor.HasField("raw_data"):
        return _packed_numbers(tensor) if prod(tensor.dims) <= SMALL_TENSOR_BYTES else None
    name, size = LISTS[tensor.data_type]
    values = getattr(tensor, name)
    return tuple(values) if len(values) * size <= SMALL_TENSOR_BYTES else None


def _packed_numbers(tensor: TensorProto) -> tuple[float, ...] | None:
    packed = tensor.raw_data  # a copy
    if not 0 < len(packed) <= SMALL_TENSOR_BYTES:
        return None
    return tuple(value for (value,) in struct.iter_unpack(f"<{FORMATS[tensor.data_type]}", packed))


def _node(node: NodeProto) -> Node:
    branches = [branch for attribute in node.attribute for branch in (attribute.g, *attribute.graphs)]
    inner = [_node(each) for branch in branches for each in branch.node]
    constants = [attribute.t for attribute in node.attribute if attribute.HasField("t")]
    constants += [tensor for attribute in node.attribute for tensor in attribute.tensors]
    constants += [tensor for branch in branches for tensor in branch.initializer]
    captured = {name for each in inner for name in (*each.inputs, *each.captures)}
    captured |= {_text(output.name) for branch in branches for output in branch.output}
    return Node(
        kind=_text(node.op_type),
        domain=_text(node.domain),
        name=_text(node.name),
        inputs=tuple(map(_text, node.input)),
        outputs=tuple(map(_text, node.output)),
        attributes={_text(attribute.name): _attribute(attribute) for attribute in node.attribute},
        captures=frozenset(captured),
        tensors=(*map(_tensor, constants), *(tensor for each in inner for tensor in each.tensors)),
    )


def _attribute(attribute: AttributeProto) -> Any:
    """A whole number, a text, whole numbers or a small tensor; None for what is none of these."""
    if attribute.HasField("s"):
        return _text(attribute.s)
    if attribute.ints:
        return tuple(attribute.ints)
    if attribute.HasField("t"):
        return _numbers(attribute.t)
    return attribute.i if attribute.HasField("i") else None


def _text(value: str | bytes) -> str:
    """A string of the file, which protobuf leaves as bytes where they are no UTF-8."""
    return value if isinstance(value, str) else value.decode()
