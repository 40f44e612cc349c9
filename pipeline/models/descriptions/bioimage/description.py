"""What a description states of a model, whichever format it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.config import ClassConfig
from pipeline.models.descriptions.description import Tolerance
from pipeline.models.descriptions.package import Package

PLAIN_NAMES = {"", "channel", "c", "class", "logits", "mask", "output", "prediction", "probability", "raw", "score"}
"""Of channels that say nothing of what is in them, but for a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """A file of the package, and its digest where one is stated."""

    source: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorAxis:
    """One axis of a tensor."""

    letter: str
    """b, c, y, x, z, t, or i for anything else."""
    size: int | None = None
    """Where it is fixed."""
    minimum: int | None = None
    step: int | None = None
    """Of a size that may be ``minimum`` + n · ``step``."""
    names: tuple[str, ...] = ()
    """Of channels."""
    pixel_size: float | None = None
    """m, where a unit of length is stated."""
    halo: int = 0
    """px that are to be cut off on both sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingStep:
    """One step before or after the network."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """As the document has them, axes as letters."""
    code: str | None = None
    """The file that would have to be executed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedTensor:
    """An input or output."""

    name: str
    axes: tuple[TensorAxis, ...]
    steps: tuple[ProcessingStep, ...] = ()
    range: tuple[float, float] | None = None
    """Between which its values lie, where both ends are stated."""
    is_label: bool = False
    """Whether its values are names of classes."""
    test: FileReference | None = None
    """A test image."""
    optional: bool = False

    @property
    def letters(self) -> str:
        """The axes in order, such as ``bcyx``."""
        return "".join(axis.letter for axis in self.axes)

    def axis(self, letter: str) -> TensorAxis | None:
        """One of its axes; None where it has no such axis."""
        return next((axis for axis in self.axes if axis.letter == letter), None)

    @property
    def channels(self) -> int | None:
        """Length of the axis of channels, where it is fixed."""
        axis = self.axis("c")
        return None if axis is None else axis.size or len(axis.names) or None

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names that say more than a number."""
        axis = self.axis("c")
        names = () if axis is None else axis.names
        plain = all(name.rstrip("0123456789_ -").lower() in PLAIN_NAMES for name in names)
        return () if plain or len(set(names)) < len(names) else names


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The code that builds a network."""

    name: str
    """Of the function or class."""
    file: FileReference | None = None
    """In the package; None where it is a library's."""
    module: str | None = None
    """Of a library."""

    def __str__(self) -> str:
        return f"{self.module if self.file is None else self.file.source}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file of weights."""

    format: str
    file: FileReference
    external: FileReference | None = None
    """Weights beside an ONNX file."""
    architecture: Architecture | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    """Of that code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """A model of a package."""

    package: Package
    name: str
    version: str
    """Of the format."""
    inputs: tuple[DescribedTensor, ...]
    outputs: tuple[DescribedTensor, ...]
    weights: dict[str, Weights]
    tolerances: tuple[Tolerance, ...] = ()
    classes: tuple[ClassConfig, ...] = ()
    """Of a training of ours, with codes, colours and roles."""
    output: dict[str, Any] = field(default_factory=dict)
    """The same of keys of ``model.output`` beyond its defaults."""
