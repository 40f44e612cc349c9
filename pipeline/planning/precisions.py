"""In which precision a job's network computes: what is asked for, where the network heeds it."""

from __future__ import annotations

from pipeline.errors import ConfigError, ModelError
from pipeline.interfaces import Device, Locality, Network
from pipeline.planning.folding import noise_image
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, torch_device


def choose_precision(requested: str, network: Network, locality: Locality, device: Device, stored: str | None) -> str:
    """``float32``, ``bfloat16`` or ``float16``.

    Parameters
    ----------
    requested
        ``execution.precision`` of the config; ``auto`` is float32, in which tiled equals whole up to ties.
    network, locality, device
        What runs, what was measured of it, and where it is.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet.

    Raises
    ------
    ConfigError
        Less than float32 is asked of a network that computes in float32 all the same.
    """
    if stored is not None:
        return stored
    precision = "float32" if requested == "auto" else requested
    if precision != "float32" and not _changes_answers(network, locality, device, precision):
        raise ConfigError(
            f"execution.precision is {precision}, but this network computes in float32 whatever is asked "
            f"for (a traced TorchScript that is not folded "
            "does). Leave it auto, or run the network from its code or an exported program."
        )
    return precision


def _changes_answers(network: Network, locality: Locality, device: Device, precision: str) -> bool:
    """Whether any bit of an answer to noise is another."""
    import torch

    image = noise_image(network, locality, device)
    answers = []
    for name in ("float32", precision):
        with fixed_numerics(name, resources.cores(), torch_device(device)):
            try:
                answers.append(network(image).to(torch.float32))
            except ModelError:
                raise
            except Exception:  # it fails on this size or on noise; it will say so on the raster
                return True
    return not torch.equal(*answers)
