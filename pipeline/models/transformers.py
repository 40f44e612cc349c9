"""``kind: transformers``: weights of a network for semantic segmentation of transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError, ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.tensor_digest import state_of
from pipeline.models.weights import read_state, sha256
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.optional_imports import require

SEMANTIC_SUFFIX = "ForSemanticSegmentation"
NO_PARTS = {"use_pretrained_backbone": False}
"""Given to every network that has such an argument: the file holds all weights, and nothing is to be fetched."""
SHOWN_KEYS = 3


class ScoresPerPixel(torch.nn.Module):
    """A network of the library that returns its scores at the size of the image, as the library decodes them."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → scores (n, classes, rows, cols), bilinear with align_corners=False."""
        scores = self.network(pixel_values=pixels).logits
        return F.interpolate(scores, size=pixels.shape[2:], mode="bilinear", align_corners=False)


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Build ``arch`` with ``args``, entries of its ``config.json``, and load its weights.

    Raises
    ------
    ConfigError, ModelError
        The library is not installed, has no such network, refuses the arguments, or the weights do not fit.
    """
    assert model.path is not None
    library = require("transformers", "transformers", "model.kind transformers")
    network_class = _network_class(library, model.arch)
    args = {**_channels(model), **model.args}
    with _quiet(library):
        network, notes = _filled(network_class, _configuration(network_class, args, model), model)
    module = ScoresPerPixel(network.eval().float())
    identity = {
        "kind": "transformers",
        "arch": model.arch,
        "args": json.dumps(args, sort_keys=True, default=str),
        "version": str(getattr(library, "__version__", "")),
        "tensors": state_of(module),
        "sha256": sha256(model.path),
    }
    return Loaded(module=module.eval().to(device), identity_fields=identity, key=model.output.key, notes=notes)


def _network_class(library: Any, arch: str | None) -> Any:
    network_class = getattr(library, arch or "", None)
    if arch is not None and arch.endswith(SEMANTIC_SUFFIX) and hasattr(network_class, "config_class"):
        return network_class
    raise ConfigError(
        f"model.arch is {arch!r}, which is no network for semantic segmentation that the transformers installed here "
        f"has. Name one as that library does, such as Segformer{SEMANTIC_SUFFIX}."
    )


def _channels(model: ModelConfig) -> dict[str, Any]:
    """The number of classes, where the arguments leave it to their list."""
    names = model.classes or model.channels
    return {} if names is None else {"num_labels": len(names)}


def _configuration(network_class: Any, args: dict[str, Any], model: ModelConfig) -> Any:
    forced = {key: value for key, value in NO_PARTS.items() if key in args}
    try:
        return network_class.config_class(**{**args, **forced})
    except Exception as error:  # the library's own checks raise errors of several libraries
        raise _argument_error(model, error) from error


def _filled(network_class: Any, configuration: Any, model: ModelConfig) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The network with its weights, which the library brings to the names of its release, and what was left out."""
    assert model.path is not None
    try:
        network, report = network_class.from_pretrained(
            None,
            config=configuration,
            state_dict=read_state(model.path),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below, with their shapes
        )
    except ModelError:
        raise
    except Exception as error:  # as above
        raise _argument_error(model, error) from error
    shapes = [f"{key} is {_shape(file)} in the file and {_shape(own)} there" for key, file, own in _mismatched(report)]
    if faults := [f"{key} is missing" for key in sorted(report["missing_keys"])] + shapes:
        raise ModelError(
            f"model.path {model.path} does not fill {model.arch}: {_listed(faults)}. Give the weights of this network, "
            f"and model.args with the entries of its config.json."
        )
    unused = sorted(report["unexpected_keys"])
    notes = (f"{_listed(unused)} of its weights have no place in {model.arch} and are left out",) if unused else ()
    return cast(torch.nn.Module, network), notes


def _mismatched(report: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Names of tensors with two shapes each, that of the file and that of the network."""
    return sorted(report["mismatched_keys"], key=lambda entry: str(entry[0]))


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(shape)


def _argument_error(model: ModelConfig, error: Exception) -> ModelError:
    return ModelError(
        f"model.arch {model.arch}, model.args and the weights in {model.path} do not fit each other "
        f"({first_line(error)}). Give the entries of the config.json that was saved with the weights."
    )


def _listed(keys: list[str]) -> str:
    more = len(keys) - SHOWN_KEYS
    return ", ".join(keys[:SHOWN_KEYS]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """While it is open, the library draws no bars and prints no report; what matters is told here."""
    log = getattr(getattr(library, "utils", None), "logging", None)
    if log is None:
        yield
        return
    level, had_bars = log.get_verbosity(), log.is_progress_bar_enabled()
    set_level: Callable[[int], None] = log.set_verbosity
    set_level(log.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        set_level(level)
        if had_bars:
            log.enable_progress_bar()
