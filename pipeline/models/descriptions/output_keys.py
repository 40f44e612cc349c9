"""Steps after the network as keys of ``model.output``, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import BandNumbers, listed

MAX_LOGIT = 30
"""Beyond which a logit's probability is 0 or 1 to most digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputKeys:
    """What was made of the steps so far; each method adds a step, and raises StepError where that is not done here."""

    activation: str | None = None
    multilabel: bool = False
    threshold: BandNumbers | None = None

    def as_section(self) -> dict[str, Any]:
        """Keys of ``model.output`` that are no defaults."""
        section = {"activation": self.activation, "threshold": self.threshold}
        given = {name: value for name, value in section.items() if value is not None}
        return {**given, **({"multilabel": True} if self.multilabel else {})}

    def activated(self, activation: str, channels: int | None, step: str) -> OutputKeys:
        """Followed by ``sigmoid`` or ``softmax``; by a sigmoid of several channels each is a class of its own."""
        if self.activation is not None:
            raise StepError(f"{step} follows another step that makes probabilities or a mask")
        return OutputKeys(activation=activation, multilabel=activation == "sigmoid" and channels not in (None, 1))

    def cut(self, threshold: BandNumbers, channels: int | None, step: str) -> OutputKeys:
        """Followed by a threshold of probabilities, or of the logits that a network returns as they are."""
        if self.threshold is not None:
            raise StepError(f"{step} is there twice")
        if self.activation == "softmax":
            raise StepError(f"{step} after softmax would give pixels several classes or none")
        cuts = listed(threshold)
        between = all(0 < cut < 1 for cut in cuts)
        if self.activation is not None and not between:
            raise StepError(f"{step} at {threshold} of probabilities, which lie between 0 and 1")
        activation = self.activation or ("none" if between else "sigmoid")
        chances = cuts if between else [_logistic(cut, step) for cut in cuts]
        value: BandNumbers = chances if isinstance(threshold, list) and len(chances) > 1 else chances[0]
        return replace(self, activation=activation, threshold=value, multilabel=channels not in (None, 1))


def _logistic(value: float, step: str) -> float:
    """The probability of a logit, which a config can name while it is above 0 and below 1."""
    if abs(value) > MAX_LOGIT:
        raise StepError(f"{step} at {value:g}, which no logit passes or none falls short of")
    return 1 / (1 + math.exp(-value))
