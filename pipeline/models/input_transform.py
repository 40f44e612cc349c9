"""``model.input.transform``.

The user's code that changes raw pixels before they are normalised, such as a logarithm or a ratio of bands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, InferenceError, ModelError
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.import_faults import fault

if TYPE_CHECKING:
    import torch


TRANSFORM_KEY = "model.input.transform"
TransformFunction = Callable[["torch.Tensor"], "torch.Tensor"]


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
        import torch

        from pipeline.models import pixelwise

        function, shape = _function(self), (self.channels, *raw.shape[1:])
        try:
            with torch.no_grad():
                returned = function(raw)
        except Exception as error:  # the user's code may raise anything
            raise InferenceError(
                f"{TRANSFORM_KEY} {self.place} failed on a tile of {shape[1]}×{shape[2]} px: {first_line(error)}"
            ) from error
        if not isinstance(returned, torch.Tensor) or returned.shape != shape:
            raise InferenceError(
                f"{TRANSFORM_KEY} {self.place} returned {pixelwise.form(returned)} for a tile of "
                f"{shape[1]}×{shape[2]} px, not {shape}"
            )
        # it may be a tensor that the user's code goes on with
        return returned.to(device=raw.device, dtype=torch.float32, copy=True)


@dataclass(frozen=True, slots=True)
class _Imported:
    """A callable in this process, what it is made of, and the files that importing it read, by path."""

    function: TransformFunction
    code: dict[str, str]
    files: dict[str, str]


_functions: dict[Transform, TransformFunction] = {}


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
    from pipeline.models.repository.opened_files import digests, digests_by_file_name, record_opened_files

    imported, paths = _import_callable(place), set[str]()
    with record_opened_files(paths):
        channels = _output_channels(place, imported.function, bands, dtype)
    files = digests_by_file_name({**imported.files, **digests(paths)})
    result = Transform(
        place=place, bands=bands, channels=channels, code=tuple(imported.code.items()), files=tuple(files.items())
    )
    _functions[result] = imported.function
    return result


def _output_channels(place: str, function: TransformFunction, bands: int, dtype: np.dtype[Any]) -> int:
    from pipeline.models import pixelwise

    try:
        return pixelwise.channels(function, bands, dtype)
    except pixelwise.PixelwiseError as error:
        raise ModelError(
            f"{TRANSFORM_KEY} {place} {error}. It takes a torch tensor (bands, rows, cols) of raw values, "
            f"float32, and returns one (channels, rows, "
            f"cols), in which "
            "each pixel depends on the same pixel alone; mend it so."
        ) from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        reason = (
            fault(error)
            or f"{first_line(error)}. Mend it: it takes a torch tensor (bands, rows, cols) of raw values, float32."
        )
        raise ModelError(f"{TRANSFORM_KEY} {place} failed on {bands} bands: {reason}") from error


def _import_callable(place: str) -> _Imported:
    from pipeline.models.python import find_callable, repository
    from pipeline.models.repository.opened_files import digests, record_opened_files

    where, _, name = place.rpartition(":")
    if not where or not name:
        raise ConfigError(f"{TRANSFORM_KEY} is {place!r}; it needs file.py:callable or package.module:callable.")
    repo, paths = repository(where, TRANSFORM_KEY), set[str]()
    with repo.entered(), record_opened_files(paths):
        function = find_callable(repo.imported(), where, name, TRANSFORM_KEY)
    code = repo.code()
    return _Imported(function, code, {**repo.reads(code), **digests(paths)})


def _function(spec: Transform) -> TransformFunction:
    """The callable in this process.

    Raises ModelError where its code, or a file that its import reads, is another than that of the plan.
    """
    from pipeline.models.repository.opened_files import digests_by_file_name

    if spec not in _functions:
        imported = _import_callable(spec.place)
        # a process that imports a library first reads more
        files, planned = digests_by_file_name(imported.files), dict(spec.files)
        if imported.code != dict(spec.code) or any(
            not set(files[name].split()) <= set(planned[name].split()) for name in files.keys() & planned.keys()
        ):
            raise ModelError(
                f"{TRANSFORM_KEY} {spec.place} was changed since this run was planned, or a file that it "
                f"reads. Run it again: it is planned with what is there."
            )
        _functions[spec] = imported.function
    return _functions[spec]
