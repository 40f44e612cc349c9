"""Model descriptions, by format: files beside the weights that say how a network is to be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.errors import BandsError
from pipeline.models.descriptions.bioimage import read_bioimage
from pipeline.models.descriptions.deepness import read_deepness
from pipeline.models.descriptions.description import DescribedModel
from pipeline.models.descriptions.mlm import read_mlm
from pipeline.models.descriptions.monai import read_monai
from pipeline.models.descriptions.pretrained import read_pretrained

DESCRIPTION_FORMATS: dict[str, Callable[[Path], DescribedModel | None]] = {
    "bioimage.io": read_bioimage,
    "MLM": read_mlm,
    "MONAI": read_monai,
    "save_pretrained": read_pretrained,
    "Deepness": read_deepness,
}
"""Readers of ``model.path`` by the name of the format; one returns None where the path is none of its own."""


def read_description(path: Path) -> DescribedModel | None:
    """What a package states of its model.

    Parameters
    ----------
    path
        A folder with a description, the description itself, an archive of both, or a file of weights that holds it.

    Returns
    -------
    DescribedModel or None
        None where the path is no description, such as a plain file of weights.

    Raises
    ------
    ModelError
        The description cannot be read, is of another format, lacks a part, or the archive is not safe.
    """
    descriptions = (read(path) for read in DESCRIPTION_FORMATS.values())
    return next((description for description in descriptions if description is not None), None)


def with_weights_file(model: ModelConfig, bands: int) -> ModelConfig:
    """The model with its file of weights and what builds its network, where its path is a description; else as it is.

    Raises
    ------
    BandsError
        The description states another number of bands.
    ModelError
        The weights are not there, or are others than the description states; or its code is not trusted.
    """
    description = None if model.path is None else read_description(model.path)
    if description is None:
        return model
    _require_bands(description, bands)
    # asked anew wherever a network is loaded, so that neither a store nor a plan can answer for the user
    factory = model.factory or description.state(model).code
    return model.model_copy(update={"path": description.weights_file(model), "factory": factory})


def require_described_bands(model: ModelConfig, bands: int) -> None:
    """Raise BandsError where so many bands are read, and the description at ``model.path`` states another number."""
    description = None if model.path is None else read_description(model.path)
    if description is not None:
        _require_bands(description, bands)


def _require_bands(description: DescribedModel, bands: int) -> None:
    if description.bands in (None, bands):
        return
    names = f" ({', '.join(description.band_names)})" if description.band_names else ""
    raise BandsError(
        f"{bands} bands are read, but {description.name} describes a network of {description.bands}{names}. "
        f"Choose them with source.bands, in its order.",
        description.bands or 0,
    )
