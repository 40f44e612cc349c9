"""Which weights of a bundle are run, and what builds their network."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.monai.network_definition import NETWORK_PARTS, NETWORKS_MODULE, NetworkDefinition
from pipeline.models.descriptions.monai.read import Bundle
from pipeline.models.descriptions.trust import trusted_factory
from pipeline.runtime.optional_imports import require

MONAI_EXTRA = "monai"
WHOLE_NETWORKS = {"torchscript": "models/model.ts", "onnx": "models/model.onnx"}
"""Files that hold the whole network, by the kind that runs them; the first that is there counts."""
STATE_DICT = "models/model.pt"
BUILT_KINDS = ("python", "smp", "classifier")
"""Kinds that build a network by code, and load weights into it."""


def bundle_files(bundle: Bundle) -> dict[str, str]:
    """The files of weights by the kind that runs them, in the order in which they are preferred."""
    if bundle.is_embedded:
        return {"torchscript": bundle.package.path.name}
    files = {**WHOLE_NETWORKS, "python": STATE_DICT}
    return {kind: file for kind, file in files.items() if bundle.package.holds(file)}


def bundle_kind(model: ModelConfig, bundle: Bundle) -> str:
    """The kind of network that a config and a bundle make together; raises ModelError where there are no weights."""
    if model.kind is not None:
        return model.kind
    if model.factory is not None:
        return "python"
    files = bundle_files(bundle)
    if not files:
        raise ModelError(
            f"{bundle.package.name} has none of {', '.join([*WHOLE_NETWORKS.values(), STATE_DICT])} beside it. "
            f"Download the bundle with its weights: the zip file of a release, or what large_files.yml names, by "
            f"download_large_files of MONAI's."
        )
    return next(iter(files))


def bundle_weights(bundle: Bundle, kind: str) -> str:
    """The name of the file of weights for a kind; raises ModelError where there is none."""
    files, key = bundle_files(bundle), "python" if kind in BUILT_KINDS else kind
    if key in files:
        return files[key]
    raise ModelError(
        f"model.kind is {kind}, for which {bundle.package.name} has no weights; it has "
        f"{', '.join(files.values()) or 'none'}. Leave model.kind out, or set {' or '.join(files) or 'none'}."
    )


def bundle_weights_file(bundle: Bundle, model: ModelConfig) -> Path:
    """The file of weights on this machine.

    Raises
    ------
    ExtraError
        MONAI is to build the network, and is not installed.
    ModelError
        The file is not there.
    """
    if (model.factory or "").startswith(f"{NETWORKS_MODULE}:"):
        require(NETWORKS_MODULE, MONAI_EXTRA, f"The network of {bundle.package.name}")
    name = bundle_weights(bundle, bundle_kind(model, bundle))
    return bundle.package.path if bundle.is_embedded else bundle.package.file(name)


def built_network(bundle: Bundle) -> NetworkDefinition:
    """The network that a state dict belongs to; raises ModelError where the bundle does not define it."""
    if bundle.network is None:
        place = bundle.config_file or "a configs/inference.json, which is not there,"
        raise ModelError(
            f"{bundle.package.name} has {STATE_DICT} alone, and {place} defines no network "
            f"({' or '.join(NETWORK_PARTS)} with a _target_). Name what builds it as model.factory "
            f"(file.py:callable or package.module:callable), or take a bundle with models/model.ts."
        )
    return bundle.network


def bundle_code(bundle: Bundle, model: ModelConfig, network: NetworkDefinition) -> str:
    """What builds a network by code of the bundle, as ``model.factory`` names it; raises ModelError without trust."""
    return trusted_factory(
        model,
        bundle.package.name,
        network.obstacle or network.target,
        lambda: f"{bundle.package.folder() / (bundle.config_file or '')}:{network.part}",
    )
