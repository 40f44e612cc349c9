"""``kind: smp``: a state dict of a network of segmentation_models_pytorch."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError, ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.tensor_digest import state_of
from pipeline.models.weights import load_into, sha256
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.optional_imports import require

NO_DOWNLOAD_ARGS: dict[str, Any] = {"encoder_weights": None}
"""Said to every architecture: the file holds all weights, and nothing is to be downloaded that it would replace."""


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Build ``arch`` with ``args`` and load its weights strictly.

    Raises
    ------
    ConfigError, ModelError
        The library is not installed, knows no such architecture, refuses the arguments, or the weights do not fit.
    """
    assert model.path is not None
    library = _library()
    classes = len(model.classes or model.channels or ())
    args = {"in_channels": bands, "classes": classes, **model.args, **NO_DOWNLOAD_ARGS}
    if not args["classes"]:
        raise ConfigError(
            "kind smp needs model.args.classes, the channels of the network's output, or a list of model.classes "
            "or model.channels."
        )
    try:
        module = _architecture(library, model.arch)(**args)
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"model.args {model.args} do not fit {model.arch} ({first_line(error)}). Give the arguments it "
            f"was trained with."
        ) from error
    notes = load_into(module, model.path)
    identity = {
        "kind": "smp",
        "arch": model.arch,
        "args": json.dumps(args, sort_keys=True, default=str),
        "version": str(getattr(library, "__version__", "")),
        "encoders": _encoders(),
        "tensors": state_of(module.eval().float()),
        "sha256": sha256(model.path),
    }
    return Loaded(module=module.to(device), identity_fields=identity, key=model.output.key, notes=notes)


def _encoders() -> str:
    """Version of timm, which has most of its encoders; empty where it is not installed."""
    try:
        return version("timm")
    except PackageNotFoundError:
        return ""


def _library() -> Any:
    return require("segmentation_models_pytorch", "smp", "model.kind smp")


def _architecture(library: Any, arch: str | None) -> Callable[..., torch.nn.Module]:
    architectures = {
        name: member
        for name, member in vars(library).items()
        if isinstance(member, type) and issubclass(member, torch.nn.Module)
    }
    if arch in architectures:
        return cast(Callable[..., torch.nn.Module], architectures[arch])
    near = difflib.get_close_matches(arch or "", architectures, 1, cutoff=0.4)
    nearest = f"; nearest is {near[0]}" if near else f"; it has {', '.join(sorted(architectures))}"
    raise ConfigError(
        f"model.arch is {arch!r}, which segmentation_models_pytorch does not have{nearest}. Name one as "
        f"that library does."
    )
