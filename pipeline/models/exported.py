"""``kind: exported``: a program saved by ``torch.export.save``, with the sizes it says it takes."""

from __future__ import annotations

import logging
import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError, ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models.descriptions.program_code import require_plain_program
from pipeline.models.loaded import Loaded
from pipeline.models.weights import sha256
from pipeline.models.weights.file_type import EXPORTED, detect_file_type, wrong_file_error
from pipeline.runtime.backends import backend_of

EXPORT_ADVICE = (
    "Save one with torch.export.save(torch.export.export(network, …), path), by a torch no newer than this one."
)


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load an exported program.

    Raises
    ------
    ModelError
        The file holds something else, its input is not one image of (batch, bands, rows, cols), or the bands do not
        fit. Or reading it would execute code, and the config does not trust it.
    """
    assert model.path is not None
    if detect_file_type(model.path) != EXPORTED:
        raise wrong_file_error(model.path, EXPORTED, ValueError(), EXPORT_ADVICE)
    if not _is_compiled(model.path):
        require_plain_program(model.path, None, trusted=model.trust)
    program = _read(model.path)
    shape = _shape(program, model.path)
    accepts = _accepts(shape, program.range_constraints, model.path)
    if isinstance(shape[1], int) and shape[1] != bands:
        raise BandsError(
            f"{bands} bands are read, but the program in {model.path} takes {shape[1]} bands. Choose them "
            f"with source.bands, in its order.",
            shape[1],
        )
    if any(tensor.device.type != device.type for tensor in program.state_dict.values()) or backend_of(device).copies:
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, str(device))
    return Loaded(
        module=program.module(),
        identity_fields={"kind": "exported", "sha256": sha256(model.path)},
        key=model.output.key,
        accepts=accepts,
    )


def read_program(file: BinaryIO) -> Any:
    """The program named ``model`` of an archive, which torch also executes parts of; raises whatever torch raises."""
    with _quiet():
        return torch.export.load(file)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:  # given a path, torch insists on the ending .pt2
            return read_program(file)
    except Exception as error:  # the reader raises zip, pickle, key and runtime errors alike
        if _is_compiled(path):
            raise ModelError(
                f"model.path {path} holds a library that AOTInductor compiled for one kind of device, and "
                f"no program that can be measured and tiled. Give the "
                "program that it was made of (torch.export.save), or load the library in a factory "
                "(model.kind: python)."
            ) from error
        raise wrong_file_error(path, EXPORTED, error.__context__ or error, EXPORT_ADVICE) from error


def _is_compiled(path: Path) -> bool:
    """Whether an archive holds compiled libraries alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.startswith("data/aotinductor/") for name in names) and not any(
        name.startswith("models/") for name in names
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch warns of its own internals while it reads, and logs a traceback where the file is broken.

    We say it in one line.
    """
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _shape(program: Any, path: Path) -> Any:
    inputs = program.graph_signature.user_inputs
    node = (
        next((n for n in program.graph.nodes if n.op == "placeholder" and n.name == inputs[0]), None)
        if len(inputs) == 1
        else None
    )
    shape = getattr(node.meta.get("val") if node else None, "shape", None)
    if shape is None or len(shape) != 4:
        actual = f"{len(inputs)} inputs" if len(inputs) != 1 else f"one of shape {tuple(shape or ())}"
        raise ModelError(
            f"The program in {path} takes {actual}; it must take one image of (batch, bands, rows, cols). "
            f"Export the network alone."
        )
    return shape


def _accepts(shape: Any, constraints: Any, path: Path) -> InputConstraints:
    """Sizes that rows and columns both take."""
    (low, high, multiple), other = (_axis(size, constraints) for size in shape[2:])
    maximum = min((m for m in (high, other[1]) if m is not None), default=None)
    accepts = InputConstraints(
        minimum=max(low, other[0]),
        maximum=maximum,
        multiple=math.lcm(multiple, other[2]),
        batch=_batch(shape[0], constraints),
    )
    if maximum is not None and maximum // accepts.multiple * accepts.multiple < accepts.minimum:
        raise ModelError(
            f"The program in {path} takes rows {_size_range(low, high)} and cols {_size_range(*other[:2])}, "
            f"so no tile can be square. "
            "Export it with rows and cols alike, best as torch.export.Dim."
        )
    return accepts


def _size_range(low: int, high: int | None) -> str:
    return f"of {low} px" if low == high else f"from {low} px" + (f" to {high} px" if high is not None else "")


def _batch(size: Any, constraints: Any) -> int | None:
    """The batch it must be given, or None where one image is enough."""
    if isinstance(size, int):
        return size
    low = _axis(size, constraints)[0]
    return low if low > 2 else None  # torch treats 2 as "more than one" without insisting on it


def _axis(size: Any, constraints: Any) -> tuple[int, int | None, int]:
    """(minimum, maximum, multiple) of one axis, from its number or its symbolic expression."""
    if isinstance(size, int):
        return size, size, 1
    expression = size.node.expr
    symbols = list(expression.free_symbols)
    if len(symbols) != 1:
        return 1, None, 1
    symbol, unit = symbols[0], expression.coeff(symbols[0])
    if not unit.is_integer or expression != unit * symbol:
        return 1, None, 1
    bounds, multiple = constraints.get(symbol), int(unit)
    low = int(bounds.lower) if bounds is not None else 1
    high = int(bounds.upper) if bounds is not None and bounds.upper.is_number and bounds.upper < 10**6 else None
    return max(low, 1) * multiple, None if high is None else high * multiple, multiple
