"""Training a head alone: the body's weights and its batch norms' statistics stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from pipeline.errors import ConfigError
from pipeline.train.pretrained.native import head_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What trains and what does not."""

    trainable: tuple[str, ...]
    """Names of parameters."""
    frozen: tuple[str, ...]
    """Names of parameters."""
    parameters: int
    """Trainable numbers."""


class StillBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that keeps its statistics, also when the network around it is set to train."""

    def train(self, mode: bool = True) -> Any:
        """Stay in eval mode, whatever is asked."""
        return super().train(False)


def freeze_layers(network: nn.Module, frozen_part: str | None) -> Frozen:
    """Hold a network's body still, or let everything train again.

    Frozen batch norms change their class, so that ``network.train()`` leaves them alone; names and numbers of the state
    dict do not change. Dropout within the body stays what it is. Give the optimiser only parameters with
    ``requires_grad``.

    Parameters
    ----------
    network
        One of ours.
    frozen_part
        ``body`` leaves the score and upsampling layers trainable, None everything.

    Raises
    ------
    ConfigError
        ``frozen_part`` is another.
    ModelError
        The network does not say what its head is.
    """
    if frozen_part not in ("body", None):
        raise ConfigError(
            f"freeze is {frozen_part!r}, and can be body (only score and upsampling layers are trained) or "
            f"null (everything is)."
        )
    trains = head_of(network) if frozen_part else ("",)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(trains))
        if not parameter.requires_grad:
            parameter.grad = None  # an optimiser would still follow it
    for name, part in network.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            part.__class__ = nn.BatchNorm2d if f"{name}.".startswith(trains) else StillBatchNorm2d
            part.train(network.training)
    return _count(network)


def _count(network: nn.Module) -> Frozen:
    every = list(network.named_parameters())
    trainable = tuple(name for name, parameter in every if parameter.requires_grad)
    frozen = tuple(name for name, parameter in every if not parameter.requires_grad)
    return Frozen(
        trainable=trainable,
        frozen=frozen,
        parameters=sum(parameter.numel() for _, parameter in every if parameter.requires_grad),
    )
