"""A program of an archive that changes pixels before the network, as keys of ``model.input``.

It is run on made-up images: where each band becomes a multiple of itself and a constant, the two numbers are all that
it does::

    T.Normalize(mean, std)        each band: (x − mean) / std           becomes mean, std
    T.Resize((256, 256))          of images of 256 px: nothing          is looked at with images of that size
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.program_archive import program_alone
from pipeline.models.exported import read_program
from pipeline.models.weights.file_type import first_line

TRANSFORMS = "transforms"
"""Name of such a program where the description names none."""
MADE_UP_SIDE = 48
"""Of made-up images where the program takes any size, px."""
LARGEST_VALUES = (1.0, 255.0, 10_000.0)
"""Of the numbers in made-up images."""
ROUNDING_ERROR = 1e-5
"""Of what is expected, by the rounding of float32."""
SHORT_DIGITS = 6
"""That numbers are written with, if no more are needed."""

Pixels = npt.NDArray[np.float64]


def measured_keys(path: Path, name: str, channels: int | None) -> dict[str, Any]:
    """Keys of ``model.input`` that do what a program does, and ``size`` where it leaves that alone as it is.

    Parameters
    ----------
    path
        The archive, which was checked to hold no code beyond its programs.
    name
        Of the program in it.
    channels
        Bands of the network, where they are stated.

    Raises
    ------
    StepError
        It fails, resizes, or does more to a band than a multiple and a constant.
    """
    state = path.stat()
    return dict(_measured(path, name, channels, state.st_size, state.st_mtime_ns))


def are_alike(keys: dict[str, Any], others: dict[str, Any]) -> bool:
    """Whether two sections do the same to every band, up to rounding."""
    if "normalise" in keys or "normalise" in others:
        return False
    first, second = (_gain_and_shift(section) for section in (keys, others))
    return all(np.allclose(one, other, rtol=1e-4, atol=1e-6) for one, other in zip(first, second, strict=True))


def _gain_and_shift(section: dict[str, Any]) -> tuple[Pixels, Pixels]:
    scale, offset, mean, std = (
        np.asarray(section.get(name, neutral), dtype=np.float64)
        for name, neutral in (("scale", 1.0), ("offset", 0.0), ("mean", 0.0), ("std", 1.0))
    )
    return np.asarray(scale / std), np.asarray((offset - mean) / std)


@lru_cache(maxsize=8)
def _measured(path: Path, name: str, channels: int | None, size: int, modified: int) -> tuple[tuple[str, Any], ...]:
    try:
        program = read_program(program_alone(path, name))
        run, shape = program.module(), _input_shape(program, channels)
        side = _side(run, shape, name)
        gain, offset = _fitted(lambda image: _returned(run, image), (*shape[:2], side, side), name)
    except StepError:
        raise
    except Exception as error:  # the reader and whatever it computes raise errors of all kinds
        raise StepError(f"the program {name} of the archive fails: {first_line(error)}") from error
    mean, std = _rounded(-offset / gain + 0.0), _rounded(1 / gain)
    keys = [(key, value) for key, value, neutral in (("mean", mean, 0.0), ("std", std, 1.0)) if value != neutral]
    return (*keys, *([("size", side)] if side != MADE_UP_SIDE else []))


def _input_shape(program: Any, channels: int | None) -> tuple[int, int, int | None]:
    """Batch, bands, and the size where it is fixed."""
    name = program.graph_signature.user_inputs[0]
    value = next(node.meta["val"] for node in program.graph.nodes if node.name == name)
    batch, bands, rows, cols = (size if isinstance(size, int) else None for size in value.shape)
    if rows != cols:
        raise StepError(f"its program takes images of {rows}×{cols} px, so that no tile can be square")
    bands = bands or channels
    if bands is None:
        raise StepError("its program takes any number of bands, and none is stated")
    return batch or 1, bands, rows


def _side(run: Callable[[torch.Tensor], Any], shape: tuple[int, int, int | None], name: str) -> int:
    """The size of images that the program leaves as large as they are, px."""
    side = shape[2] or MADE_UP_SIDE
    returned = _returned(run, np.zeros((*shape[:2], side, side)))
    resized = returned.shape[2] if returned.ndim == 4 else 0
    if returned.shape == (*shape[:2], side, side):
        return side
    if shape[2] is None and returned.shape == (*shape[:2], resized, resized):
        again = _returned(run, np.zeros((*shape[:2], resized, resized)))
        if again.shape == returned.shape:
            return resized
    raise StepError(
        f"the program {name} of the archive makes {returned.shape} of images of {(*shape[:2], side, side)}: it "
        f"resizes, or changes the bands"
    )


def _returned(run: Callable[[torch.Tensor], Any], image: Pixels) -> Pixels:
    with torch.no_grad():
        returned = run(torch.from_numpy(image).float())
    if not isinstance(returned, torch.Tensor):
        raise StepError(f"its program returns {type(returned).__name__}, not an image")
    return np.asarray(returned.double().numpy())


def _fitted(function: Callable[[Pixels], Pixels], shape: tuple[int, ...], name: str) -> tuple[Pixels, Pixels]:
    """The multiple and the constant of each band; raises StepError where there is more to it."""
    axes = (0, 2, 3)
    offset = function(np.zeros(shape)).mean(axes)
    gain = (function(np.full(shape, LARGEST_VALUES[-1])).mean(axes) - offset) / LARGEST_VALUES[-1]
    random = np.random.default_rng(0)
    for largest in (*LARGEST_VALUES, -LARGEST_VALUES[1]):
        image = (largest * random.random(shape)).astype(np.float32).astype(np.float64)
        expected = image * gain[:, None, None] + offset[:, None, None]
        if not gain.all() or np.abs(function(image) - expected).max() > ROUNDING_ERROR * max(
            1.0, np.abs(expected).max()
        ):
            raise StepError(
                f"the program {name} of the archive does more to a band than a multiple and a constant, such as "
                f"clipping, resizing or a logarithm"
            )
    return gain, offset


def _rounded(numbers: Pixels) -> float | list[float]:
    """In few digits, as people choose such numbers, where that makes no difference in float32."""
    short = [float(f"{number:.{SHORT_DIGITS}g}") for number in numbers]
    values = [
        brief if abs(brief - number) <= 2e-6 * abs(number) or abs(number) < 1e-9 else float(number)
        for brief, number in zip(short, numbers, strict=True)
    ]
    return values[0] if len(set(values)) == 1 else values
