"""A model that is described by MLM as every other description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.models.descriptions.description import ReferenceCase, Statement
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.resolution import pixel_size_of
from pipeline.models.descriptions.mlm.stated import state_of_mlm
from pipeline.models.descriptions.mlm.tensors import image_of
from pipeline.models.descriptions.mlm.weights import choose_file, needs_builder, network_code, takes_builder


@dataclass(frozen=True, slots=True)
class MlmModel:
    """A `pipeline.models.descriptions.description.DescribedModel` of the MLM extension of STAC."""

    model: MlmDescription

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""
        return self.model.path

    @property
    def name(self) -> str:
        """The description, for messages."""
        return self.model.name

    @property
    def format(self) -> str:
        """Who describes models like this."""
        return "MLM"

    @property
    def bands(self) -> int | None:
        """Of the one image; raises ModelError where the network takes several, or something else."""
        return image_of(self.model).channels

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of the training, in order."""
        return image_of(self.model).band_names

    @property
    def pixel_size(self) -> float | None:
        """Of the training, m; None where bands differ."""
        return pixel_size_of(self.model)

    def state(self, model: ModelConfig) -> Statement:
        """Keys of a config; raises ModelError where steps are not done and the config does not replace them."""
        return state_of_mlm(self.model, model)

    def weights_file(self, model: ModelConfig) -> Path:
        """The file that is run; raises ModelError where it is missing, another, or holds code."""
        return choose_file(self.model, model).path

    @property
    def takes_factory(self) -> bool:
        """Whether there are weights without their network."""
        return takes_builder(self.model)

    def code_of_network(self) -> str | None:
        """The architecture, where no file holds the whole network."""
        return network_code(self.model) if needs_builder(self.model) else None

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """None: the extension has no test images."""
        return None
