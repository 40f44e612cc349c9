"""Which weights of a package are run, and their file, whose digest is compared.

What executes nothing comes first: ONNX, then TorchScript. Code of a package is never executed.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.bioimage.description import FileReference, ModelDescription, Weights
from pipeline.models.descriptions.bioimage.parts import EXECUTING
from pipeline.models.descriptions.digest import sha256_of_file

PREFERRED = ("onnx", "torchscript")
"""Formats whose kind bears the same name, the first that is there."""
BUILDING_KINDS = ("python", "smp", "classifier")
"""Kinds that build a network by code of the user's or of a library, and load weights into it."""


def choose_kind(model: ModelConfig, description: ModelDescription) -> str:
    """The kind of network that a config and a description make together.

    Raises
    ------
    ModelError
        The description has no weights that can be run without its code.
    """
    if model.kind is not None:
        return model.kind
    if model.factory is not None:
        return "python"
    chosen = next((name for name in PREFERRED if name in description.weights), None)
    if chosen is None:
        raise _no_weights_error(description)
    return chosen


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


def _no_weights_error(description: ModelDescription) -> ModelError:
    name, weights = description.package.name, description.weights.get(EXECUTING)
    if weights is None:
        return ModelError(
            f"{name} has weights of {', '.join(description.weights)} alone, and onnx and torchscript are run. Convert "
            f"them (python -m tf2onnx.convert), and give the file with model.kind: onnx."
        )
    code = weights.architecture or "which is not named"
    return ModelError(
        f"{name} has weights of {EXECUTING} alone, whose network is built by code, {code}. No code of a package is "
        f"executed. If you trust it, name it as model.factory (file.py:callable or package.module:callable); its "
        f"arguments are taken from the description. Or take a package with torchscript or onnx weights."
    )
