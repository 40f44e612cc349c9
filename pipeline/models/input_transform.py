"""``model.input.transform``: the user's code that changes raw pixels before they are normalised, such as a logarithm or a ratio of bands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.errors import ConfigError, InferenceError, ModelError
from pipeline.models import pixelwise
from pipeline.models.python import find, repository
from pipeline.models.repository.opened_files import by_name, digests, recorded
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.import_faults import fault

KEY = "model.input.transform"
Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A callable by its name and its code. It travels to workers as such; each process imports it at the first tile."""

    place: str
    """``file.py:callable`` or ``package.module:callable``."""
    bands: int
    """Bands that it takes: those that are read."""
    channels: int
    """Bands that it returns: those of the network's input."""
    code: tuple[tuple[str, str], ...]
    """Digest of the source, or version, of each module that it is made of, by name."""
    files: tuple[tuple[str, str], ...] = ()
    """Digest of each file that was read while it was imported and tried, by name."""

    @property
    def name(self) -> str:
        """The callable without its place, which may change."""
        return self.place.rpartition(":")[2]

    def identity(self) -> dict[str, Any]:
        """What decides the values that it returns, as plain values."""
        return {"callable": self.name, "code": dict(self.code), "files": dict(self.files)}

    def __call__(self, raw: torch.Tensor) -> torch.Tensor:
        """(bands, rows, cols) float32 of raw values → (channels, rows, cols) float32.

        Raises
        ------
        InferenceError
            It fails, or returns another form than when it was tried.
        ModelError
            Its code is no longer that of the plan.
        """
        function, shape = _function(self), (self.channels, *raw.shape[1:])
        try:
            with torch.no_grad():
                returned = function(raw)
        except Exception as error:  # the user's code may raise anything
            raise InferenceError(f"{KEY} {self.place} failed on a tile of {shape[1]}×{shape[2]} px: {first_line(error)}") from error
        if not isinstance(returned, torch.Tensor) or returned.shape != shape:
            raise InferenceError(f"{KEY} {self.place} returned {pixelwise.form(returned)} for a tile of {shape[1]}×{shape[2]} px, not {shape}")
        return returned.to(device=raw.device, dtype=torch.float32, copy=True)  # it may be a tensor that the user's code goes on with


@dataclass(frozen=True, slots=True)
class _Imported:
    """A callable in this process, what it is made of, and the files that importing it read, by path."""

    function: Function
    code: dict[str, str]
    files: dict[str, str]


_functions: dict[Transform, Function] = {}


def transform(place: str, bands: int, dtype: np.dtype[Any]) -> Transform:
    """Import a transform and try it on made-up pixels.

    Parameters
    ----------
    place
        ``file.py:callable`` or ``package.module:callable``, anchored.
    bands
        Bands that are read.
    dtype
        That they are read in.

    Raises
    ------
    ConfigError, ModelError
        It is not named, not there, fails, returns something else than pixels, or is not per pixel.
    """
    imported, opened = _imported(place), set[str]()
    with recorded(opened):
        channels = _tried(place, imported.function, bands, dtype)
    files = by_name({**imported.files, **digests(opened)})
    result = Transform(place=place, bands=bands, channels=channels, code=tuple(imported.code.items()), files=tuple(files.items()))
    _functions[result] = imported.function
    return result


def _tried(place: str, function: Function, bands: int, dtype: np.dtype[Any]) -> int:
    try:
        return pixelwise.channels(function, bands, dtype)
    except pixelwise.Fault as error:
        raise ModelError(
            f"{KEY} {place} {error}. It takes a torch tensor (bands, rows, cols) of raw values, float32, and returns one (channels, rows, cols), in which "
            "each pixel depends on the same pixel alone; mend it so."
        ) from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        why = fault(error) or f"{first_line(error)}. Mend it: it takes a torch tensor (bands, rows, cols) of raw values, float32."
        raise ModelError(f"{KEY} {place} failed on {bands} bands: {why}") from error


def _imported(place: str) -> _Imported:
    where, _, name = place.rpartition(":")
    if not where or not name:
        raise ConfigError(f"{KEY} is {place!r}; it needs file.py:callable or package.module:callable.")
    around, opened = repository(where, KEY), set[str]()
    with around.entered(), recorded(opened):
        function = find(around.imported(), where, name, KEY)
    code = around.code()
    return _Imported(function, code, {**around.reads(code), **digests(opened)})


def _function(which: Transform) -> Function:
    """The callable in this process; raises ModelError where its code, or a file that its import reads, is another than that of the plan."""
    if which not in _functions:
        imported = _imported(which.place)
        files, planned = by_name(imported.files), dict(which.files)  # a process that imports a library first reads more
        if imported.code != dict(which.code) or any(not set(files[name].split()) <= set(planned[name].split()) for name in files.keys() & planned.keys()):
            raise ModelError(
                f"{KEY} {which.place} was changed since this run was planned, or a file that it reads. Run it again: it is planned with what is there."
            )
        _functions[which] = imported.function
    return _functions[which]
