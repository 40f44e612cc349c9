"""The file of weights in a folder of ``save_pretrained``."""

from __future__ import annotations

from pipeline.errors import ModelError
from pipeline.models.descriptions.package import Package

WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
"""The first that is there; neither executes anything when it is read."""
SPLIT_NAMES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Lists of files, of weights that were saved in several."""


def weights_name(package: Package) -> str:
    """The name of the file; raises ModelError where there is none, or several hold the weights."""
    name = next((name for name in WEIGHT_NAMES if package.holds(name)), None)
    if name is not None:
        return name
    if any(package.holds(name) for name in SPLIT_NAMES):
        raise ModelError(
            f"{package.name} has weights in several files, which are not joined here. Save the network in one, with "
            f"save_pretrained(folder, max_shard_size='50GB')."
        )
    raise ModelError(
        f"{package.name} has no weights beside it: {' and '.join(WEIGHT_NAMES)} are looked for. Give the whole folder, "
        f"as save_pretrained wrote it."
    )
