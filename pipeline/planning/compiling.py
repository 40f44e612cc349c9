"""Whether a job runs its network compiled: as it is asked for, after both were seen to say the same."""

from __future__ import annotations

import torch

from pipeline.errors import ConfigError
from pipeline.interfaces import Locality
from pipeline.models.loaded import Loaded
from pipeline.models.torch_compile import compiled, obstacle
from pipeline.models.weights.file_type import first_line
from pipeline.planning.folding import ROUNDING, difference, trial
from pipeline.runtime import resources
from pipeline.runtime.device import rounding


def decide(asked: bool, network: Loaded, locality: Locality, device: torch.device, stored: bool | None) -> bool:
    """Whether the network runs compiled.

    Parameters
    ----------
    asked
        ``execution.compile`` of the config.
    network, locality, device
        What is to be compiled, what was measured of it, and where it is.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet, so that it is tried on noise.

    Raises
    ------
    ConfigError
        It cannot be compiled here, or says something else then.
    """
    wanted = asked if stored is None else stored
    why = None if not wanted else obstacle(network, device) or (None if stored else _apart(network, locality, device))
    if why is not None:
        raise ConfigError(f"execution.compile is true, but {why}. Leave it out, or mend that.")
    return wanted


def _apart(network: Loaded, locality: Locality, device: torch.device) -> str | None:
    """How a network differs from itself compiled, in float32 on noise; None where it does not."""
    image = trial(network, locality, device)
    with rounding("float32", resources.cores(), device):
        plain = network(image)
        try:
            return difference(plain, compiled(network)(image), ROUNDING)
        except Exception as error:  # whatever compilers raise
            return f"torch cannot compile this network here ({first_line(error)})"
