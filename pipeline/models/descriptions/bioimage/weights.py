"""Which weights of a package are run, and their file, whose digest is compared.

What executes nothing comes first: ONNX, then TorchScript. Code of a package is executed where it is trusted alone.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.bioimage.description import (
    Architecture,
    FileReference,
    ModelDescription,
    Weights,
)
from pipeline.models.descriptions.bioimage.parts import EXECUTING
from pipeline.models.descriptions.digest import sha256_of_file
from pipeline.models.descriptions.trust import trusted_factory

PREFERRED = ("onnx", "torchscript")
"""Formats whose kind bears the same name, the first that is there."""
BUILDING_KINDS = ("python", "smp", "classifier")
"""Kinds that build a network by code of the user's or of a library, and load weights into it."""


def choose_kind(model: ModelConfig, description: ModelDescription) -> str:
    """The kind of network that a config and a description make together.

    Raises
    ------
    ModelError
        The description has no weights that can be run.
    """
    if model.kind is not None:
        return model.kind
    if model.factory is not None:
        return "python"
    chosen = next((name for name in PREFERRED if name in description.weights), None)
    if chosen is None and EXECUTING not in description.weights:
        raise ModelError(
            f"{description.package.name} has weights of {', '.join(description.weights)} alone, and onnx and "
            f"torchscript are run. Convert them (python -m tf2onnx.convert), and give the file with model.kind: onnx."
        )
    return chosen or "python"


def choose_weights(kind: str, description: ModelDescription) -> Weights:
    """The weights for a kind of network; raises ModelError where there are none."""
    wanted = EXECUTING if kind in BUILDING_KINDS else kind
    if wanted in description.weights:
        return description.weights[wanted]
    raise ModelError(
        f"model.kind is {kind}, for which {description.package.name} has no weights; it has "
        f"{', '.join(description.weights)}. Leave model.kind out, or set one of {', '.join(PREFERRED)}, or python with "
        f"a factory for {EXECUTING}."
    )


def verified_file(description: ModelDescription, reference: FileReference) -> Path:
    """A file of the package on disk; raises ModelError where its digest is another than the description states."""
    path = description.package.file(reference.source)
    if reference.sha256 is None:
        return path
    actual = sha256_of_file(path)
    if actual != reference.sha256:
        raise ModelError(
            f"{description.package.name} states the SHA-256 {reference.sha256} of {reference.source}, and the file has "
            f"{actual}: it was changed or cut short. Download the package again."
        )
    return path


def architecture_factory(model: ModelConfig, description: ModelDescription) -> str:
    """The code of a description that builds the network, as ``model.factory`` names it.

    Raises
    ------
    ModelError
        It is not trusted, not named, missing, or another than the description states.
    """
    architecture = description.weights[EXECUTING].architecture
    if architecture is None:
        raise ModelError(
            f"{description.package.name} has weights of {EXECUTING}, whose network is built by code that is not named. "
            f"Name it as model.factory (file.py:callable or package.module:callable), or take a package with "
            f"torchscript or onnx weights."
        )
    return trusted_factory(
        model, description.package.name, str(architecture), lambda: _place_of_code(description, architecture)
    )


def _place_of_code(description: ModelDescription, architecture: Architecture) -> str:
    if architecture.file is None:
        return str(architecture)
    verified_file(description, architecture.file)
    return f"{description.package.folder() / architecture.file.source}:{architecture.name}"
