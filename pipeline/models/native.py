"""Networks of ours: built from what their file says, or from ``model.args``, and loaded strictly."""

from __future__ import annotations

import inspect
import json
from typing import Any

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS, revision
from pipeline.models.loaded import Loaded
from pipeline.models.tensor_digest import state_of
from pipeline.models.weights import load_into, sha256


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Build the network that a file of ours describes and load its weights.

    Raises
    ------
    ModelError
        The hyperparameters make no network, or the file does not fit it.
    """
    assert model.path is not None
    assert model.kind is not None
    args = network_arguments(model, bands)
    module = build_native(model.kind, args)
    notes = load_into(module, model.path, unused=getattr(module, "unused", ()))
    identity = {
        "kind": model.kind,
        "args": json.dumps(args, sort_keys=True),
        "revision": revision(f"pipeline.models.architectures.{model.kind}"),
        "tensors": state_of(module.eval()),
        "sha256": sha256(model.path),
    }
    return Loaded(module=module.to(device), identity_fields=identity, key=model.output.key, notes=notes)


def build_native(kind: str, args: dict[str, Any]) -> torch.nn.Module:
    """A network of ours by its name.

    Raises
    ------
    ModelError
        The hyperparameters are unknown or impossible.
    """
    try:
        return NETWORKS[kind](**args)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"model.args {args} do not fit {kind} ({error}). It takes {', '.join(hyperparameters(kind))}."
        ) from error


def hyperparameters(kind: str) -> list[str]:
    """Names of what a network of ours can be told."""
    factory = NETWORKS[kind]
    makers = (
        [vars(base)["__init__"] for base in factory.__mro__ if base.__module__.startswith("pipeline.")]
        if isinstance(factory, type)
        else [factory]
    )
    parameters = (p for maker in makers for p in inspect.signature(maker).parameters.values())
    return list(dict.fromkeys(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"))


def network_arguments(model: ModelConfig, bands: int) -> dict[str, Any]:
    """The hyperparameters of a network of ours for so many bands, with its number of classes.

    Raises
    ------
    ModelError
        Nothing says how many classes there are, or it takes another number of bands.
    """
    args = {"bands": bands, **model.args}
    if "classes" not in args:
        named = model.classes or model.channels
        if named is None:
            raise ModelError(
                f"kind {model.kind} needs model.args.classes, or a list of model.classes or model.channels, "
                f"where the weights file does not say how many classes it has."
            )
        args["classes"] = len(named)
    if args["bands"] != bands:
        raise ModelError(
            f"{bands} bands are read, but the network in {model.path} takes {args['bands']} bands. Choose "
            f"them with source.bands, in its order."
        )
    return args
