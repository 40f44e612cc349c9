"""A folder of ``save_pretrained`` as every other description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import ReferenceCase, Statement
from pipeline.models.descriptions.overrides import LINEAR
from pipeline.models.descriptions.package import Package
from pipeline.models.descriptions.pretrained.network import LibraryNetwork
from pipeline.models.descriptions.pretrained.weights import weights_name

FACTORY_KIND = "python"


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A `pipeline.models.descriptions.description.DescribedModel` of a library."""

    package: Package
    network: LibraryNetwork

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""
        return self.package.path

    @property
    def name(self) -> str:
        """The document, for messages."""
        return self.package.name

    @property
    def format(self) -> str:
        """The library, whose ``save_pretrained`` wrote the folder."""
        return self.network.library

    @property
    def bands(self) -> int | None:
        """That the network takes."""
        return self.network.bands

    @property
    def band_names(self) -> tuple[str, ...]:
        """Where the library reverses them; otherwise none."""
        return self.network.band_names

    @property
    def pixel_size(self) -> float | None:
        """None: no such document states it."""
        return None

    def state(self, model: ModelConfig) -> Statement:
        """Keys of a config.

        Raises
        ------
        ModelError
            The library cannot build the network without code or a download, or what is asked for is not done and the
            config does not replace it.
        """
        network, kind = self.network, self._kind(model)
        builds = kind == network.kind
        if builds and network.fault is not None:
            raise ModelError(f"{self.name} {network.fault}")
        builder = f"{network.arch} of {network.library}" if builds else "the network of a factory"
        return Statement(
            title=f"{builder}, by {self.name} (save_pretrained of {network.library})",
            weights=f"weights {weights_name(self.package)}, of which nothing is executed",
            kind=kind,
            arch=network.arch if builds else None,
            args=network.args if builds else {},
            input=self._stated_input(model),
            input_origin=network.input_origin,
            output=self._stated_output(model),
            channels=network.channels,
            channel_names=network.channel_names,
            hints=network.hints,
        )

    def _kind(self, model: ModelConfig) -> str:
        kind = model.kind or (FACTORY_KIND if model.factory is not None else self.network.kind)
        if kind in (self.network.kind, FACTORY_KIND):
            return kind
        raise ModelError(
            f"model.kind is {kind}, but {self.name} has weights for a network of {self.network.library}. Leave "
            f"model.kind out, or set {self.network.kind}, or python with a factory that builds the network."
        )

    def _stated_input(self, model: ModelConfig) -> dict[str, Any]:
        """Keys of ``model.input`` that the document decides."""
        given = set() if model.input is None else model.input.model_fields_set
        if self.network.input_fault is not None and not given & {*LINEAR, "normalise"}:
            raise ModelError(
                f"{self.name}: before the network, {self.network.input_fault}. Give model.input in the config (scale, "
                f"offset, mean, std, normalise), which takes the place of all steps that the library has there."
            )
        replaced = given | (LINEAR if "normalise" in given else set())
        return {name: value for name, value in self.network.input.items() if name not in replaced}

    def _stated_output(self, model: ModelConfig) -> dict[str, Any]:
        """Keys of ``model.output`` that the document decides."""
        given = model.output.model_fields_set
        if self.network.output_fault is not None and "activation" not in given:
            raise ModelError(
                f"{self.name}: after the network, {self.network.output_fault}. Give model.output.activation in the "
                f"config, which says what turns the network's numbers into probabilities."
            )
        replaced = {*given, *({"multilabel"} if "activation" in given else set())}
        return {name: value for name, value in self.network.output.items() if name not in replaced}

    def weights_file(self, model: ModelConfig) -> Path:
        """The file of weights; raises ModelError where there is none, or in several files."""
        return self.package.file(weights_name(self.package))

    @property
    def takes_factory(self) -> bool:
        """True: weights are loaded into whatever a factory builds."""
        return True

    def code_of_network(self) -> str | None:
        """The code of the folder's own, where the library alone cannot build the network."""
        return self.network.code

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """None: such a folder has no test image."""
        return None
