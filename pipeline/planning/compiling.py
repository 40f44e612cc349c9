"""Whether a job runs its network compiled: as it is asked for, after both were seen to say the same."""

from __future__ import annotations

from pipeline.errors import ConfigError
from pipeline.interfaces import Device, Locality
from pipeline.models.loaded import Loaded
from pipeline.models.torch_compile import compiled, why_not_compilable
from pipeline.models.weights.file_type import first_line
from pipeline.planning.folding import FOLD_ROUNDING_TOLERANCE, excess_difference, noise_image
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, torch_device


def choose_compilation(
    requested: bool,
    network: Loaded,
    locality: Locality,
    device: Device,
    stored: bool | None,
    setting: str = "execution.compile is true",
) -> bool:
    """Whether the network runs compiled.

    Parameters
    ----------
    requested
        ``execution.compile`` of the config.
    network, locality, device
        What is to be compiled, what was measured of it, and where it is.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet, so that it is tried
        on noise.
    setting
        What the config says, for messages.

    Raises
    ------
    ConfigError
        It cannot be compiled here, or says something else then.
    """
    compiles = requested if stored is None else stored
    reason = (
        None
        if not compiles
        else why_not_compilable(network, device)
        or (None if stored else _compiled_difference(network, locality, device))
    )
    if reason is not None:
        raise ConfigError(f"{setting}, but {reason}. Leave it out, or mend that.")
    return compiles


def _compiled_difference(network: Loaded, locality: Locality, device: Device) -> str | None:
    """How a network differs from itself compiled, in float32 on noise; None where it does not."""
    image = noise_image(network, locality, device)
    with fixed_numerics("float32", resources.cores(), torch_device(device)):
        reference = network(image)
        try:
            return excess_difference(reference, compiled(network)(image), FOLD_ROUNDING_TOLERANCE)
        except Exception as error:  # whatever compilers raise
            return f"torch cannot compile this network here ({first_line(error)})"
