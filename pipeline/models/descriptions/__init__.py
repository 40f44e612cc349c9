"""Model descriptions, by format: files beside the weights that say how a network is to be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.errors import BandsError
from pipeline.models.descriptions import marks
from pipeline.models.descriptions.description import DescribedModel

DescriptionReader = Callable[[Path], DescribedModel | None]


def _bioimage(path: Path) -> DescribedModel | None:
    from pipeline.models.descriptions.bioimage import read_bioimage

    return read_bioimage(path)


def _mlm(path: Path) -> DescribedModel | None:
    from pipeline.models.descriptions.mlm import read_mlm

    return read_mlm(path)


def _bundle(path: Path) -> DescribedModel | None:
    from pipeline.models.descriptions.monai import read_monai

    return read_monai(path)


def _saved_folder(path: Path) -> DescribedModel | None:
    from pipeline.models.descriptions.pretrained import read_pretrained

    return read_pretrained(path)


def _deepness(path: Path) -> DescribedModel | None:
    from pipeline.models.descriptions.deepness import read_deepness

    return read_deepness(path)


DESCRIPTION_FORMATS: dict[str, tuple[Callable[[Path], bool], DescriptionReader]] = {
    "bioimage.io": (marks.is_bioimage, _bioimage),
    "MLM": (marks.is_mlm, _mlm),
    "MONAI": (marks.is_bundle, _bundle),
    "save_pretrained": (marks.is_saved_folder, _saved_folder),
    "Deepness": (marks.is_onnx_file, _deepness),
}
"""By the name of the format: what a path of it looks like, and its reader.

A reader is imported where a path looks so, and returns None where the path is none of its format after all.
"""


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
    descriptions = (read(path) for looks_so, read in DESCRIPTION_FORMATS.values() if looks_so(path))
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
