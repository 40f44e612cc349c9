"""Files beside a network that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import ExtraError
from pipeline.models.onnx_runtime.file import read_onnx
from pipeline.models.weights.file_type import ONNX, TORCHSCRIPT, detect_file_type

HINTS_OF_WSINFER = "config.json"
"""Beside a TorchScript file: its normalisation, classes and pixel size."""


def companions(path: Path, name: str) -> Iterator[tuple[str, bool]]:
    """Names in the repository of what lies beside a network, and whether the network needs it.

    Parameters
    ----------
    path
        The network, on this machine.
    name
        Its name in the repository.
    """
    folder = PurePosixPath(name).parent
    file_type = detect_file_type(path)
    if file_type == TORCHSCRIPT:
        yield str(folder / HINTS_OF_WSINFER), False
    if file_type == ONNX:
        for place in _external_weights(path):
            yield str(folder / place), True


def _external_weights(path: Path) -> tuple[str, ...]:
    """Files with the weights of an ONNX network; none outside its folder, which its loader refuses."""
    try:
        places = read_onnx(path).locations
    except ExtraError:  # its loader asks for the library
        return ()
    return tuple(place for place in places if not Path(place).is_absolute() and ".." not in PurePosixPath(place).parts)
