"""What an ONNX file says of itself, read from its bytes.

Shapes, operators and metadata, while its weights are skipped unread.

The file is one message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding): entries of a number, a
type and a value. The numbers below are those of ``onnx.proto``.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.onnx_runtime.protobuf import Message
from pipeline.models.weights.file_type import ONNX, UNKNOWN_FILE, detect_file_type, wrong_file_error

Shape = tuple[int | None, ...]
"""Lengths of a tensor's axes, None where they may vary."""

SMALL_TENSOR_BYTES = 64
"""Bytes of tensors whose numbers are read: axes, sizes and scales, never weights."""
NUMBERS = {1: "f", 6: "i", 7: "q", 11: "d"}
"""How a tensor's numbers are packed, by its type."""
LISTS = {1: 4, 6: 5, 7: 7, 11: 10}
"""The entry of a tensor that lists its numbers, where they are not packed in one piece."""
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
    ModelError
        It is no ONNX file, or a part of one.
    """
    if detect_file_type(path) not in (ONNX, UNKNOWN_FILE):
        raise wrong_file_error(path, ONNX, ValueError(), ONNX_ADVICE)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            model = _model(Message(data, 0, len(data)))
    except (ValueError, IndexError, struct.error) as error:
        raise ModelError(f"model.path {path} is no ONNX file, or a part of one ({error}). {ONNX_ADVICE}") from error
    if model is None:
        raise ModelError(f"model.path {path} holds no ONNX graph. Give the file with the whole network.")
    return model


def channels_last(shape: Shape) -> bool:
    """Whether an input is (batch, rows, cols, bands), as TensorFlow has them.

    Two axes alike before a short one of a fixed length.
    """
    return (
        len(shape) == 4 and shape[3] is not None and shape[1] == shape[2] and (shape[1] is None or shape[1] > shape[3])
    )


def _model(model: Message) -> OnnxFile | None:
    graphs = model.all(7)
    if not graphs or not any(graph.entries for graph in graphs):
        return None
    weights = dict(_tensor(entry) for graph in graphs for entry in graph.all(5))
    inputs, outputs = (tuple(_value(entry) for graph in graphs for entry in graph.all(number)) for number in (11, 12))
    opsets = {entry.string(1): entry.varint(2) for entry in model.all(8)}
    return OnnxFile(
        metadata={entry.string(1): entry.string(2) for entry in model.all(14)},
        opset=opsets.get("", opsets.get("ai.onnx", 0)),
        inputs=tuple(value for value in inputs if value.name not in weights),
        outputs=outputs,
        nodes=tuple(_node(entry) for graph in graphs for entry in graph.all(1)),
        weights=weights,
    )


def _value(entry: Message) -> Value:
    """Its name (1) and type (2), which is of a tensor (1).

    The type (1) of its numbers and its shape (2) of axes (1) of a length (1).
    """
    tensor = entry.first(2).first(1)
    lengths = (axis.varint(1) for axis in tensor.first(2).all(1))
    return Value(
        name=entry.string(1), dtype=tensor.varint(1), shape=tuple(length if length > 0 else None for length in lengths)
    )


def _tensor(entry: Message) -> tuple[str, Tensor]:
    external_data = {pair.string(1): pair.string(2) for pair in entry.all(13)}
    tensor = Tensor(
        shape=tuple(entry.varints(1)),
        values=_numbers(entry),
        location=external_data.get("location") if entry.varint(14) == 1 else None,
    )
    return entry.string(8), tensor


def _numbers(entry: Message) -> tuple[float, ...] | None:
    dtype = entry.varint(2)
    if dtype not in NUMBERS or entry.varint(14) == 1:
        return None
    packed = entry.bytes(9, SMALL_TENSOR_BYTES)
    if packed:
        return tuple(value for (value,) in struct.iter_unpack(f"<{NUMBERS[dtype]}", packed))
    if any(part.number == 9 for part in entry.entries):
        return None
    if dtype in (6, 7):
        return tuple(entry.varints(LISTS[dtype], SMALL_TENSOR_BYTES))
    packed = entry.bytes(LISTS[dtype], SMALL_TENSOR_BYTES)
    return tuple(value for (value,) in struct.iter_unpack(f"<{NUMBERS[dtype]}", packed)) if packed else None


def _node(entry: Message) -> Node:
    attributes = [(attribute.string(1), attribute) for attribute in entry.all(5)]
    branches = [branch for _, attribute in attributes for number in (6, 11) for branch in attribute.all(number)]
    inner = [_node(node) for branch in branches for node in branch.all(1)]
    tensors = [
        _tensor(tensor)[1] for _, attribute in attributes for number in (5, 10) for tensor in attribute.all(number)
    ]
    tensors += [tensor for node in inner for tensor in node.tensors] + [
        _tensor(tensor)[1] for branch in branches for tensor in branch.all(5)
    ]
    captured = {name for node in inner for name in (*node.inputs, *node.captures)} | {
        output.string(1) for branch in branches for output in branch.all(12)
    }
    return Node(
        kind=entry.string(4),
        domain=entry.string(7),
        name=entry.string(3),
        inputs=tuple(entry.strings(1)),
        outputs=tuple(entry.strings(2)),
        attributes={name: _attribute(attribute) for name, attribute in attributes},
        captures=frozenset(captured),
        tensors=tuple(tensors),
    )


def _attribute(entry: Message) -> Any:
    """A whole number (3), a text (4), whole numbers (8) or a small tensor (5); None for what is none of these."""
    numbers = {part.number for part in entry.entries}
    if 4 in numbers:
        return entry.string(4)
    if 8 in numbers:
        return tuple(entry.varints(8))
    if 5 in numbers:
        return _tensor(entry.first(5))[1].values
    return entry.varint(3) if 3 in numbers else None


def entry_of(number: int, value: bytes) -> bytes:
    """An entry as it stands in a file; appended to a message, it is one of its entries."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])
