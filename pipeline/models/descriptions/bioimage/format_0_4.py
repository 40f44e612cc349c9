"""Format 0.4: axes are letters, and test images are listed beside the tensors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field

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


class _StepPart(DocumentPart):
    """A step before or after the network."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict, validation_alias=AliasChoices("kwargs"))


class SizesPart(DocumentPart):
    """Sizes that may grow by steps."""

    min: list[int]
    step: list[int]


class ReferencePart(DocumentPart):
    """Sizes that follow from another tensor's."""

    reference_tensor: str


class _TensorPart(DocumentPart):
    """An input or output."""

    name: str
    axes: str = Field(pattern="^[bitczyx]+$")
    shape: list[int] | SizesPart | ReferencePart
    data_type: str = "float32"
    data_range: tuple[float | None, float | None] | None = None
    preprocessing: tuple[_StepPart, ...] = ()
    postprocessing: tuple[_StepPart, ...] = ()
    halo: tuple[int, ...] = ()


class _WeightsPart(FilePart):
    """A file of weights, with the code that builds its network where it needs any."""

    architecture: str | None = None
    architecture_sha256: Sha256 | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, validation_alias=AliasChoices("kwargs"))

    @property
    def architecture_code(self) -> Architecture | None:
        """The code: ``file.py:name`` of the package, or ``module.name`` of a library."""
        place, colon, name = (self.architecture or "").rpartition(":")
        if colon:
            return Architecture(name=name, file=FileReference(source=place, sha256=self.architecture_sha256))
        module, _, name = (self.architecture or "").rpartition(".")
        return Architecture(name=name, module=module) if module else None

    @property
    def architecture_arguments(self) -> dict[str, Any]:
        """What the code is called with."""
        return self.arguments


class _ModelPart(DocumentPart):
    """The document."""

    name: str = "a model without a name"
    type: Literal["model"] = "model"
    format_version: str
    inputs: list[_TensorPart] = Field(min_length=1)
    outputs: list[_TensorPart] = Field(min_length=1)
    test_inputs: tuple[str, ...] = ()
    test_outputs: tuple[str, ...] = ()
    weights: dict[str, dict[str, Any] | None] = Field(min_length=1)
    config: ConfigPart = ConfigPart()


def from_format_0_4(document: dict[str, Any], package: Package) -> ModelDescription:
    """What a document of this format states; raises ModelError where a part is missing or is something else."""
    with explained(package.name):
        part = _ModelPart.model_validate(document)
    inputs = [_tensor(tensor, tensor.preprocessing, _nth(part.test_inputs, k)) for k, tensor in enumerate(part.inputs)]
    outputs = [
        _tensor(tensor, tensor.postprocessing, _nth(part.test_outputs, k)) for k, tensor in enumerate(part.outputs)
    ]
    return ModelDescription(
        package=package,
        name=part.name,
        version=part.format_version,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        weights=weights_of(part.weights, _WeightsPart, package.name),
        tolerances=part.config.tolerances,
        classes=part.config.wholecloth.classes,
        output=part.config.wholecloth.output,
    )


def _nth(sources: tuple[str, ...], number: int) -> FileReference | None:
    return FileReference(source=sources[number]) if number < len(sources) else None


def _tensor(part: _TensorPart, steps: tuple[_StepPart, ...], test: FileReference | None) -> DescribedTensor:
    return DescribedTensor(
        name=part.name,
        axes=tuple(_axis(part, k, letter) for k, letter in enumerate(part.axes)),
        steps=tuple(ProcessingStep(name=step.name, arguments=_with_letters(step.arguments)) for step in steps),
        range=_range(part.data_range),
        is_label=False,
        test=test,
    )


def _axis(part: _TensorPart, number: int, letter: str) -> TensorAxis:
    halo = part.halo[number] if number < len(part.halo) else 0
    if isinstance(part.shape, list):
        return TensorAxis(letter=letter, size=_entry(part.shape, number), halo=halo)
    if isinstance(part.shape, ReferencePart):
        return TensorAxis(letter=letter, halo=halo)
    minimum, step = _entry(part.shape.min, number), _entry(part.shape.step, number)
    return (
        TensorAxis(letter=letter, minimum=minimum, step=step, halo=halo)
        if step
        else TensorAxis(letter=letter, size=minimum, halo=halo)
    )


def _entry(lengths: list[int], number: int) -> int | None:
    return lengths[number] if number < len(lengths) else None


def _with_letters(arguments: dict[str, Any]) -> dict[str, Any]:
    axes = arguments.get("axes")
    return {**arguments, "axes": list(axes)} if isinstance(axes, str) else dict(arguments)


def _range(ends: tuple[float | None, float | None] | None) -> tuple[float, float] | None:
    return None if ends is None or ends[0] is None or ends[1] is None else (ends[0], ends[1])
