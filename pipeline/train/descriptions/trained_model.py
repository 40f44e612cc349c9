"""What descriptions of a trained network say, whichever format they are written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config import ModelOutputConfig
from pipeline.models.probabilities import Activation
from pipeline.models.weights import ModelMeta
from pipeline.planning.activation import by_channels

NEUTRAL = {"scale": 1.0, "offset": 0.0, "mean": 0.0, "std": 1.0}
"""Numbers of ``model.input`` that change nothing."""
InputNumbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A network of ours with the numbers that it was taught with."""

    name: str
    """Of the weights file, without its ending."""
    meta: ModelMeta
    parameters: int
    window: int
    """Of the training, px."""

    @property
    def bands(self) -> int:
        """Of the network's input."""
        return int(self.meta.args["bands"])

    @property
    def channels(self) -> int:
        """That the network returns."""
        return int(self.meta.args["classes"])

    @property
    def transform(self) -> str | None:
        """The code that changed raw pixels in the training; None where none did."""
        return self.meta.input.get("transform")

    @property
    def activation(self) -> Activation:
        """What turns its logits into probabilities."""
        output = ModelOutputConfig(**self.meta.output)
        return by_channels(output, self.channels) if output.activation == "auto" else output.activation

    @property
    def classes(self) -> list[dict[str, Any]]:
        """Of the channels, or both of one logit; a background beyond the channels is left out."""
        rows = self.meta.classes
        if self.channels == 1 or len(rows) == self.channels:
            return rows
        return [row for row in rows if row.get("role") != "background"]

    def numbers(self, name: str) -> InputNumbers:
        """``scale``, ``offset``, ``mean`` or ``std``, one per band."""
        value = np.asarray(self.meta.input.get(name, NEUTRAL[name]), dtype=np.float64)
        return np.broadcast_to(value, (self.bands,))

    def short_values(self, *names: str) -> list[Any]:
        """The same as plain values: a number for all bands where they are alike, else a list."""
        lists = [self.numbers(name).tolist() for name in names]
        alike = all(len(set(numbers)) == 1 for numbers in lists)
        return [numbers[0] for numbers in lists] if alike else lists
