"""Format 0.5: axes have types, names, sizes and units, and each tensor has its test image."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field

from pipeline.errors import ModelError
from pipeline.models.descriptions.bioimage.description import (
    Architecture,
    DescribedTensor,
    FileReference,
    ModelDescription,
    ProcessingStep,
    TensorAxis,
)
from pipeline.models.descriptions.bioimage.parts import ConfigPart, FilePart, Sha256, weights_of
from pipeline.models.descriptions.package import Package
from pipeline.models.descriptions.parts import DocumentPart, explained

LETTERS = {"batch": "b", "channel": "c", "time": "t", "index": "i"}
"""Of types of axes; those of space go by their names."""
METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 0.1,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
    "mile": 1609.344,
}
"""Of units of length."""


class SizePart(DocumentPart):
    """A size that may vary: by steps, or after another axis."""

    min: int | None = None
    step: int | None = None


class AxisPart(DocumentPart):
    """One axis."""

    type: Literal["batch", "channel", "time", "index", "space"]
    id: str | None = None
    size: int | SizePart | None = None
    channel_names: tuple[str, ...] = ()
    unit: str | None = None
    scale: float = Field(1.0, gt=0)
    halo: int = Field(0, ge=0)

    @property
    def letter(self) -> str:
        """As format 0.4 writes it."""
        return LETTERS.get(self.type) or (self.name if self.name in ("x", "y", "z") else "i")

    @property
    def name(self) -> str:
        """By which steps call it; the format gives each type a default."""
        return self.id or ("x" if self.type == "space" else self.type)

    @property
    def axis(self) -> TensorAxis:
        """The same as a plain value."""
        varying = self.size if isinstance(self.size, SizePart) else SizePart()
        metres = METRES.get(self.unit or "")
        return TensorAxis(
            letter=self.letter,
            size=self.size if isinstance(self.size, int) else None,
            minimum=varying.min,
            step=varying.step,
            names=tuple(self.channel_names),
            pixel_size=None if metres is None or self.type != "space" else self.scale * metres,
            halo=self.halo,
        )


class _StepPart(DocumentPart):
    """A step before or after the network."""

    id: str
    arguments: dict[str, Any] = Field(default_factory=dict, validation_alias=AliasChoices("kwargs"))
    source: str | None = None
    """Of a step that is code of the package."""


class DataPart(DocumentPart):
    """What the numbers of a tensor mean."""

    values: list[Any] | None = None
    range: tuple[float | None, float | None] | None = None


class _TensorPart(DocumentPart):
    """An input or output."""

    id: str = ""
    axes: list[AxisPart] = Field(min_length=1)
    data: DataPart | list[DataPart] = DataPart()
    preprocessing: tuple[_StepPart, ...] = ()
    postprocessing: tuple[_StepPart, ...] = ()
    test_tensor: FilePart | None = None
    optional: bool = False


class ArchitecturePart(DocumentPart):
    """The code that builds a network."""

    callable: str
    source: str | None = None
    sha256: Sha256 | None = None
    import_from: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, validation_alias=AliasChoices("kwargs"))


class _WeightsPart(FilePart):
    """A file of weights, with the code that builds its network where it needs any."""

    external_data: FilePart | None = None
    architecture: ArchitecturePart | None = None

    @property
    def architecture_code(self) -> Architecture | None:
        """The code; None where it lies nowhere."""
        code = self.architecture
        if code is None or not (code.source or code.import_from):
            return None
        file = None if code.source is None else FileReference(source=code.source, sha256=code.sha256)
        return Architecture(name=code.callable, file=file, module=code.import_from)

    @property
    def architecture_arguments(self) -> dict[str, Any]:
        """What the code is called with."""
        return {} if self.architecture is None else self.architecture.arguments


class _ModelPart(DocumentPart):
    """The document."""

    name: str = "a model without a name"
    type: Literal["model"] = "model"
    format_version: str
    inputs: list[_TensorPart] = Field(min_length=1)
    outputs: list[_TensorPart] = Field(min_length=1)
    weights: dict[str, dict[str, Any] | None] = Field(min_length=1)
    config: ConfigPart = ConfigPart()


def from_format_0_5(document: dict[str, Any], package: Package) -> ModelDescription:
    """What a document of this format states; raises ModelError where a part is missing or is something else."""
    with explained(package.name):
        part = _ModelPart.model_validate(document)
    return ModelDescription(
        package=package,
        name=part.name,
        version=part.format_version,
        inputs=tuple(_tensor(tensor, tensor.preprocessing, "input", package.name) for tensor in part.inputs),
        outputs=tuple(_tensor(tensor, tensor.postprocessing, "output", package.name) for tensor in part.outputs),
        weights=weights_of(part.weights, _WeightsPart, package.name),
        tolerances=part.config.tolerances,
        classes=part.config.wholecloth.classes,
        output=part.config.wholecloth.output,
    )


def _tensor(part: _TensorPart, steps: tuple[_StepPart, ...], default: str, name: str) -> DescribedTensor:
    data = part.data if isinstance(part.data, list) else [part.data]
    return DescribedTensor(
        name=part.id or default,
        axes=tuple(axis.axis for axis in part.axes),
        steps=tuple(_step(step, part, name) for step in steps),
        range=_range([entry.range for entry in data]),
        is_label=any(entry.values is not None for entry in data),
        test=None if part.test_tensor is None else part.test_tensor.reference,
        optional=part.optional,
    )


def _step(part: _StepPart, tensor: _TensorPart, name: str) -> ProcessingStep:
    letters: dict[object, str] = {axis.name: axis.letter for axis in tensor.axes}
    arguments = dict(part.arguments)
    for key in ("axes", "axis"):
        given = arguments.get(key)
        ids = given if isinstance(given, list) else [given]
        if given is None:
            continue
        if unknown := [axis for axis in ids if axis not in letters]:
            raise ModelError(
                f"{name}: {part.id} names the axis {unknown[0]}, and {tensor.id or 'the tensor'} has "
                f"{', '.join(map(str, letters))}. Mend the description, or download the package again."
            )
        arguments[key] = [letters[axis] for axis in ids] if isinstance(given, list) else letters[given]
    return ProcessingStep(name=part.id, arguments=arguments, code=part.source)


def _range(ranges: list[tuple[float | None, float | None] | None]) -> tuple[float, float] | None:
    """Between which all channels lie, where both ends of each are stated."""
    pairs = [pair or (None, None) for pair in ranges]
    lows = [low for low, _ in pairs if low is not None]
    highs = [high for _, high in pairs if high is not None]
    return (min(lows), max(highs)) if len(lows) == len(highs) == len(pairs) > 0 else None
