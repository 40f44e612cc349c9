"""What every model description offers, whichever format it is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.config import ClassConfig, ModelConfig

STATED_ORIGIN = "the model's description"
"""Who has a value, as the plan prints it, where a format names no other document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a description states of a model, in keys of a config; it never holds ``trust``."""

    title: str
    """The model, its document and the format, as the plan prints them."""
    weights: str
    """The file of weights, as the plan prints it."""
    kind: str
    factory: str | None = None
    """Of a library's network, which is built by arguments alone."""
    code: str | None = None
    """What builds the network where the description brings or names code and the config trusts it, as
    ``model.factory`` names it on this machine."""
    arch: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    """Keys of ``model.input``, less those that the config gives or replaces."""
    origin: str = STATED_ORIGIN
    """Who has the values, as the plan prints it."""
    input_origin: str | None = None
    """The same of ``input``, where that comes from elsewhere."""
    of_each_sample: bool = False
    """Whether ``normalise`` was of each image in the training."""
    output: dict[str, Any] = field(default_factory=dict)
    """Keys of ``model.output``, less those that the config gives or replaces."""
    channels: int | None = None
    """That the network returns."""
    channel_names: tuple[str, ...] = ()
    """Of what the network returns; empty where they say nothing."""
    classes: tuple[ClassConfig, ...] = ()
    """Where they have colours or codes of their own; otherwise the names of the channels decide."""
    hints: tuple[str, ...] = ()
    """What is told and decides nothing, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceTensor:
    """A file of numpy, the axes of its array, and the steps that the description has for it."""

    name: str
    letters: str
    """Axes in order, such as ``bcyx``."""
    path: Path
    process: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
    """Raises StepError where a step is not done here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """By how much a test image may differ: absolute + relative · |expected|, but for a few elements."""

    relative: float = 1e-3
    absolute: float = 1e-3
    mismatched: float = 100.0
    """Elements per million that may differ by more."""
    output: tuple[str, ...] = ()
    """Tensors that it holds for; empty for all."""
    formats: tuple[str, ...] = ()
    """Formats of weights that it holds for; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCase:
    """An image, and what the network makes of it."""

    image: ReferenceTensor
    """Its steps come before the network."""
    expected: ReferenceTensor
    """Its steps come after the network."""
    tolerance: Tolerance


class StepError(Exception):
    """A step is asked for that is not done; the message says which, and why."""


class DescribedModel(Protocol):
    """A model that says what it is."""

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""

    @property
    def name(self) -> str:
        """The document, for messages."""

    @property
    def format(self) -> str:
        """Who describes models like this, such as ``bioimage.io``."""

    @property
    def bands(self) -> int | None:
        """That the network takes, where that is stated; raises ModelError where it does not take one image."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of the training, in order; empty where there are none."""

    @property
    def pixel_size(self) -> float | None:
        """Of the training, m."""

    def state(self, model: ModelConfig) -> Statement:
        """What the description states beside a config; raises ModelError where it cannot be used, or is not done."""

    def weights_file(self, model: ModelConfig) -> Path:
        """The file for a kind of network, its digest compared; raises ModelError where it is missing or another."""

    @property
    def takes_factory(self) -> bool:
        """Whether there are weights for a network that a factory of the user's builds."""

    def code_of_network(self) -> str | None:
        """The code without which no weights of this description can be run, in words; None where none is needed."""

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """For the output ``key``; raises ModelError where a file of the test is missing or another."""
