"""What a model config is resolved to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.config import ClassConfig, ModelConfig
from pipeline.inference.normalise import Adjustment, Normalisation


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model config with nothing left open."""

    model: ModelConfig
    normalisation: Normalisation
    classes: list[ClassConfig] | None

    def with_stretch(self, stretch: Adjustment) -> ResolvedModel:
        """The same with numbers of its raster."""
        return replace(self, normalisation=replace(self.normalisation, stretch=stretch))
