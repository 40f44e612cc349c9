"""A bundle of MONAI as every other description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.models.descriptions.description import ReferenceCase, Statement
from pipeline.models.descriptions.monai.read import Bundle
from pipeline.models.descriptions.monai.statement import bundle_statement
from pipeline.models.descriptions.monai.tensors import bundle_image
from pipeline.models.descriptions.monai.weights import (
    WHOLE_NETWORKS,
    built_network,
    bundle_files,
    bundle_weights_file,
)

PLAIN_BAND = "image"
"""Name of a channel that says nothing."""


@dataclass(frozen=True, slots=True)
class MonaiModel:
    """A `pipeline.models.descriptions.description.DescribedModel` of a MONAI bundle."""

    bundle: Bundle

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""
        return self.bundle.package.path

    @property
    def name(self) -> str:
        """The document, for messages."""
        return self.bundle.package.name

    @property
    def format(self) -> str:
        """Who describes models like this."""
        return "MONAI"

    @property
    def bands(self) -> int | None:
        """Of the one image; raises ModelError where the network takes several, or volumes."""
        image = bundle_image(self.bundle)[1]
        built = None if self.bundle.network is None else self.bundle.network.number("in_channels")
        return image.num_channels or built

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of the image's channels; empty where they are one name that says nothing, or of another number."""
        names = bundle_image(self.bundle)[1].names
        return names if len(names) == self.bands and PLAIN_BAND not in names else ()

    @property
    def pixel_size(self) -> float | None:
        """None: bundles do not state it."""
        return None

    def state(self, model: ModelConfig) -> Statement:
        """Keys of a config; raises ModelError where steps are not done and the config does not replace them."""
        return bundle_statement(self.bundle, model)

    def weights_file(self, model: ModelConfig) -> Path:
        """The file of weights; raises ModelError where it is missing, ExtraError where MONAI is."""
        return bundle_weights_file(self.bundle, model)

    @property
    def takes_factory(self) -> bool:
        """Whether there is a state dict."""
        return "python" in bundle_files(self.bundle)

    def code_of_network(self) -> str | None:
        """What defines the network, where no weights hold it and it is none of MONAI's."""
        files = bundle_files(self.bundle)
        if "python" not in files or any(kind in files for kind in WHOLE_NETWORKS):
            return None
        network = built_network(self.bundle)
        return None if network.obstacle is None else network.obstacle

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """None: bundles have no test image."""
        return None
