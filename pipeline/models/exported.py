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
from pipeline.models.loaded import Loaded
from pipeline.models.several_inputs.by_program import ProgramInput, program_call, program_inputs
from pipeline.models.several_inputs.signature import Signature, require_named, several_inputs_error
from pipeline.models.several_inputs.sizes import common_constraints, no_image_error, require_input_bands
from pipeline.models.several_inputs.split_input import SplitInput
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
        The file holds something else, its inputs are no images of (batch, bands, rows, cols) or others than the config
        names, or the bands do not fit. Or reading it would execute code, and the config does not trust it.
    """
    assert model.path is not None
    program = read_program_file(model.path, model.trust)
    inputs = program_inputs(program)
    accepts = (_accepts_several if model.input_bands else _accepts_one)(program, inputs, model, bands)
    if any(tensor.device.type != device.type for tensor in program.state_dict.values()) or backend_of(device).copies:
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, str(device))
    module = program.module()
    return Loaded(
        module=SplitInput(module, model.input_bands, program_call(program, inputs)) if model.input_bands else module,
        identity_fields={"kind": "exported", "sha256": sha256(model.path)},
        key=model.output.key,
        accepts=accepts,
    )


def read_program(file: BinaryIO) -> Any:
    """The program named ``model`` of an archive, which torch also executes parts of; raises whatever torch raises."""
    with _quiet():
        return torch.export.load(file)


def read_program_file(path: Path, trusted: bool) -> Any:
    """The program of a file, where it was saved.

    Parameters
    ----------
    path
        The file.
    trusted
        ``model.trust``: whether code of the file may be executed.

    Raises
    ------
    ModelError
        The file holds something else, or code.
    """
    from pipeline.models.descriptions.program_code import require_plain_program

    if detect_file_type(path) != EXPORTED:
        raise wrong_file_error(path, EXPORTED, ValueError(), EXPORT_ADVICE)
    if not _is_compiled(path):
        require_plain_program(path, None, trusted)
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


def _accepts_one(program: Any, inputs: list[ProgramInput], model: ModelConfig, bands: int) -> InputConstraints:
    """Sizes of a program that takes one image of the bands read."""
    assert model.path is not None
    if len(inputs) > 1 and all(_is_image(one) for one in inputs):
        raise several_inputs_error(model.path, [one.name for one in inputs])
    if len(inputs) != 1 or not _is_image(inputs[0]):
        actual = f"{len(inputs)} inputs" if len(inputs) != 1 else f"one of shape {tuple(inputs[0].shape or ())}"
        raise ModelError(
            f"The program in {model.path} takes {actual}; it must take one image of (batch, bands, rows, cols). "
            f"Export the network alone."
        )
    shape = inputs[0].shape
    accepts = _accepts(shape, program.range_constraints, model.path)
    if isinstance(shape[1], int) and shape[1] != bands:
        raise BandsError(
            f"{bands} bands are read, but the program in {model.path} takes {shape[1]} bands. Choose them "
            f"with source.bands, in its order.",
            shape[1],
        )
    return accepts


def _accepts_several(program: Any, inputs: list[ProgramInput], model: ModelConfig, bands: int) -> InputConstraints:
    """Sizes of a program that takes the inputs that the config names."""
    assert model.path is not None
    names = [one.name for one in inputs]
    require_named(Signature(required=tuple(names)), [entry.name for entry in model.input_bands], model.path)
    strange = next((one for one in inputs if not _is_image(one)), None)
    if strange is not None:
        raise no_image_error(strange.name, str(tuple(strange.shape or ())), model.path)
    shapes = {one.name: one.shape for one in inputs}
    for entry in model.input_bands:
        declared = shapes[entry.name][1]
        require_input_bands(declared if isinstance(declared, int) else None, entry.bands, entry.name, model.path)
    each = {name: _accepts(shape, program.range_constraints, model.path) for name, shape in shapes.items()}
    return common_constraints(each, model.path)


def _is_image(value: ProgramInput) -> bool:
    return value.shape is not None and len(value.shape) == 4


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
