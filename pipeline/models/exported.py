"""``kind: exported``: a program saved by ``torch.export.save``, with the sizes it says it takes."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.weights import sha256
from pipeline.protocols import Accepts


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Load an exported program.

    Raises
    ------
    ModelError
        The file holds something else, or its input is not one image of (batch, bands, rows, cols).
    """
    assert model.path is not None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own internals while it reads the archive
            program = torch.export.load(str(model.path))
    except Exception as error:  # the reader raises zip, pickle, key and runtime errors alike
        raise ModelError(
            f"model.path {model.path} is not an exported program ({str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__}). "
            "Save one with torch.export.save(torch.export.export(network, …), path), or use another model.kind."
        ) from error
    accepts = _accepts(program, str(model.path))
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, str(device))
    return Loaded(module=program.module(), said={"kind": "exported", "sha256": sha256(model.path)}, key=model.output.key, accepts=accepts)


def _accepts(program: Any, name: str) -> Accepts:
    inputs = program.graph_signature.user_inputs
    node = next((n for n in program.graph.nodes if n.op == "placeholder" and n.name == inputs[0]), None)
    shape = getattr(node.meta.get("val") if node else None, "shape", None)
    if shape is None or len(shape) != 4:
        raise ModelError(f"The program in {name} takes {len(inputs)} inputs of shape {tuple(shape or ())}; it must take one of (batch, bands, rows, cols).")
    axes = [_axis(size, program.range_constraints) for size in shape[2:]]
    (low, high, multiple), other = axes[0], axes[1]
    maxima = [m for m in (high, other[1]) if m is not None]
    return Accepts(
        minimum=max(low, other[0]),
        maximum=min(maxima) if maxima else None,
        multiple=_lcm(multiple, other[2]),
        batch=shape[0] if isinstance(shape[0], int) else None,
    )


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
    bounds = constraints.get(symbol)
    multiple = int(unit)
    low = int(bounds.lower) if bounds is not None else 1
    high = int(bounds.upper) if bounds is not None and bounds.upper.is_number and bounds.upper < 10**6 else None
    return max(low, 1) * multiple, None if high is None else high * multiple, multiple


def _lcm(a: int, b: int) -> int:
    import math

    return math.lcm(a, b)
