"""What both formats have in common: files, digests, weights and tolerances."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipeline.config import ClassConfig
from pipeline.models.descriptions.bioimage.description import FileReference, Weights
from pipeline.models.descriptions.description import Tolerance
from pipeline.models.descriptions.parts import DocumentPart, explained

EXECUTING = "pytorch_state_dict"
"""The format whose network only code can build."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Sha256 = Annotated[str, BeforeValidator(_lower), Field(pattern="^[0-9a-f]{64}$")]


class FilePart(DocumentPart):
    """A file and its digest."""

    source: str
    sha256: Sha256 | None = None

    @property
    def reference(self) -> FileReference:
        """The same as a plain value."""
        return FileReference(source=self.source, sha256=self.sha256)


class TolerancePart(DocumentPart):
    """How far a test image may be off."""

    relative_tolerance: float = Field(1e-3, ge=0)
    absolute_tolerance: float = Field(1e-3, ge=0)
    mismatched_elements_per_million: float = Field(100, ge=0)
    output_ids: tuple[str, ...] | str = ()
    weights_formats: tuple[str, ...] = ()

    @property
    def tolerance(self) -> Tolerance | None:
        """The same as a plain value; None where it is of discrete outputs, which have no scores."""
        if self.output_ids == "any_discrete_output":
            return None
        return Tolerance(
            relative=self.relative_tolerance,
            absolute=self.absolute_tolerance,
            mismatched=self.mismatched_elements_per_million,
            output=() if isinstance(self.output_ids, str) else self.output_ids,
            formats=self.weights_formats,
        )


class ToolConfigPart(DocumentPart):
    """Section ``config.bioimageio``."""

    reproducibility_tolerance: tuple[TolerancePart, ...] = ()


class OwnConfigPart(DocumentPart):
    """Section ``config.wholecloth``, which a training of ours writes: what no other section of the format can say."""

    classes: tuple[ClassConfig, ...] = ()
    output: dict[str, Any] = Field(default_factory=dict)


class ConfigPart(DocumentPart):
    """Section ``config``."""

    bioimageio: ToolConfigPart = ToolConfigPart()
    wholecloth: OwnConfigPart = OwnConfigPart()

    @property
    def tolerances(self) -> tuple[Tolerance, ...]:
        """In the order in which they count."""
        parts = self.bioimageio.reproducibility_tolerance
        return tuple(part.tolerance for part in parts if part.tolerance is not None)


def weights_of(parts: dict[str, dict[str, Any] | None], read: type[FilePart], name: str) -> dict[str, Weights]:
    """The entries of section ``weights`` by format, each read as ``read``, which knows the format's own keys."""
    entries: dict[str, Weights] = {}
    for format_name, part in parts.items():
        if part is not None:
            with explained(f"{name}, weights.{format_name},"):
                entries[format_name] = as_weights(format_name, read.model_validate(part))
    return entries


def as_weights(format_name: str, part: FilePart) -> Weights:
    """One entry as a plain value; parts of both formats answer to the same names."""
    external: FilePart | None = getattr(part, "external_data", None)
    return Weights(
        format=format_name,
        file=part.reference,
        external=None if external is None else external.reference,
        architecture=getattr(part, "architecture_code", None),
        arguments=dict(getattr(part, "architecture_arguments", {})),
    )
