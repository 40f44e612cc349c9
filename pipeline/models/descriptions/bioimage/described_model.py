"""A model of bioimage.io as every other description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.models.descriptions.bioimage.description import ModelDescription
from pipeline.models.descriptions.bioimage.parts import EXECUTING
from pipeline.models.descriptions.bioimage.reference import reference_case
from pipeline.models.descriptions.bioimage.stated import state
from pipeline.models.descriptions.bioimage.tensors import image_input, training_pixel_size
from pipeline.models.descriptions.bioimage.weights import PREFERRED, choose_kind, choose_weights, verified_file
from pipeline.models.descriptions.description import ReferenceCase, Statement


@dataclass(frozen=True, slots=True)
class BioimageModel:
    """A `pipeline.models.descriptions.description.DescribedModel` of bioimage.io."""

    model: ModelDescription

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""
        return self.model.package.path

    @property
    def name(self) -> str:
        """The document, for messages."""
        return self.model.package.name

    @property
    def format(self) -> str:
        """Who describes models like this."""
        return "bioimage.io"

    @property
    def bands(self) -> int | None:
        """Of the one image; raises ModelError where the network takes several, or something else."""
        return image_input(self.model).channels

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of the image's channels."""
        return image_input(self.model).channel_names

    @property
    def pixel_size(self) -> float | None:
        """Of the training, m."""
        return training_pixel_size(image_input(self.model))

    def state(self, model: ModelConfig) -> Statement:
        """Keys of a config; raises ModelError where steps are not done and the config does not replace them."""
        return state(self.model, model)

    def weights_file(self, model: ModelConfig) -> Path:
        """The file of weights, with the digest that is stated; raises ModelError where it has another."""
        weights = choose_weights(choose_kind(model, self.model), self.model)
        if weights.external is not None:
            verified_file(self.model, weights.external)
        return verified_file(self.model, weights.file)

    @property
    def takes_factory(self) -> bool:
        """Whether there are weights of `EXECUTING`."""
        return EXECUTING in self.model.weights

    def code_of_network(self) -> str | None:
        """The architecture, where no weights hold the whole network."""
        if EXECUTING not in self.model.weights or any(name in self.model.weights for name in PREFERRED):
            return None
        return str(self.model.weights[EXECUTING].architecture or "code that is not named")

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """The test image of an output; raises ModelError where its files are missing or others."""
        return reference_case(self.model, choose_kind(model, self.model), key)
