"""``kind: python``: a network built by the user's own code, which runs with the user's rights."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError, ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models.descriptions.marks import is_bundle_config
from pipeline.models.loaded import Loaded
from pipeline.models.repository import Repository, repository_of
from pipeline.models.repository.opened_files import digests, digests_by_file_name, file_arguments, record_opened_files
from pipeline.models.several_inputs.by_forward import with_one_image
from pipeline.models.several_inputs.signature import Signature, signature_of, signature_of_class
from pipeline.models.tensor_digest import tensors_of
from pipeline.models.weights import load_into, sha256
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.import_faults import fault

FACTORY = "model.factory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A network, and what makes it what it is."""

    module: torch.nn.Module
    """In eval mode, on the CPU unless its factory says otherwise."""
    identity: dict[str, Any]
    """What it is known by, for caches and fingerprints."""
    notes: tuple[str, ...]
    """What was unwrapped and left out of its weights file, in words."""
    tensors: str
    """Digest of what it infers with."""
    from_factory: bool
    """Whether any of it comes from its factory, and not from a file of weights."""


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Call the factory with ``args`` and load the state dict strictly.

    Raises
    ------
    ConfigError, ModelError
        The factory is not named, not found, fails, or makes another network each time; or the weights do not fit.
    """
    built = build_from_factory(model, bands)
    return Loaded(
        module=built.module.to(device), identity_fields=built.identity, key=model.output.key, notes=built.notes
    )


def factory_signature(model: ModelConfig) -> Signature:
    """The inputs of what the factory makes, which a class of modules says before it is made.

    Raises
    ------
    ConfigError, ModelError
        The factory is not named, not found, or fails.
    """
    place, name = _place_and_name(model)
    repo = repository(place)
    with repo.entered():
        factory = find_callable(repo.imported(), place, name)
        if isinstance(factory, type) and issubclass(factory, torch.nn.Module):
            return signature_of_class(factory)
        return signature_of(_call_factory(factory, model))


def build_from_factory(model: ModelConfig, bands: int) -> Built:
    """What the factory makes, with its weights.

    Made twice where it brings tensors of its own: they must be the same. Raises as ``load`` does.
    """
    place, name = _place_and_name(model)
    built = _build_once(model, bands, place, name)
    if not built.from_factory:
        return built
    first_tensors = built.tensors
    del built  # one at a time: they may be large
    built = _build_once(model, bands, place, name)
    if built.tensors != first_tensors:
        raise ModelError(
            f"model.factory {model.factory} makes another network each time: two calls with the same "
            f"arguments gave other tensors, as of weights "
            "that are drawn at random. Give its weights with model.path, or load them in the factory, or "
            "seed what it draws (torch.manual_seed)."
        )
    return built


def _place_and_name(model: ModelConfig) -> tuple[str, str]:
    place, _, name = (model.factory or "").rpartition(":")
    if not place or not name:
        raise ConfigError(
            f"model.factory is {model.factory!r}; kind {model.kind} needs package.module:callable or file.py:callable."
        )
    return place, name


def _build_once(model: ModelConfig, bands: int, place: str, name: str) -> Built:
    repo, paths = repository(place), set[str](file_arguments(model.args))
    with repo.entered(), record_opened_files(paths):
        code = repo.imported()
        module = _call_factory(find_callable(code, place, name), model)
    with repo.entered():
        notes = load_into(module, model.path) if model.path is not None else ()
        module = with_one_image(module.eval().float(), model)
    with repo.entered(), record_opened_files(paths):
        tensors, unsaved = tensors_of(module, bands, InputConstraints(), model.input.size if model.input else None)
    made_by = repo.code()
    reads = {**repo.reads(made_by), **digests(paths - ({str(model.path)} if model.path else set()))}
    identity = {
        "kind": "python",
        "factory": name,
        "args": json.dumps(model.args, sort_keys=True, default=str),
        **_source(code),
        "code": made_by,
        "reads": digests_by_file_name(reads),
        "tensors": tensors,
        **({"sha256": sha256(model.path)} if model.path is not None else {}),
    }
    return Built(
        module=module, identity=identity, notes=notes, tensors=tensors, from_factory=model.path is None or bool(unsaved)
    )


def repository(place: str, key: str = FACTORY) -> Repository:
    """What lies around a place that a key of the config names; raises ModelError where it cannot be looked at."""
    if key == FACTORY and is_bundle_config(place):
        from pipeline.models.descriptions.monai.config_factory import config_repository

        return config_repository(place, key)
    try:
        return repository_of(place, key)
    except (SyntaxError, ImportError, ValueError) as error:  # of packages above it, which are looked at
        raise ModelError(f"{key} names {place}, which cannot be imported: {first_line(error)}.") from error


def _call_factory(factory: Callable[..., Any], model: ModelConfig) -> torch.nn.Module:
    try:
        module = factory(**model.args)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        reason = fault(error) or f"{first_line(error)}. Mend it, or change model.args."
        raise ModelError(f"model.factory {model.factory} failed with args {model.args}: {reason}") from error
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"model.factory {model.factory} returned {type(module).__name__}; it must return a torch.nn.Module."
        )
    return module


def find_callable(code: ModuleType, place: str, name: str, key: str = FACTORY) -> Callable[..., Any]:
    """A callable of a module that a key of the config names.

    Raises ModelError, with the nearest name, where there is none.
    """
    factory = getattr(code, name, None)
    if callable(factory):
        return cast(Callable[..., Any], factory)
    near = difflib.get_close_matches(name, [other for other in vars(code) if callable(getattr(code, other))], 1)
    raise ModelError(
        f"{key} names {name} in {place}, which is {'not there' if factory is None else 'not callable'}"
        + (f"; nearest is {near[0]}." if near else ". Name a function or class of that module.")
    )


def _source(code: ModuleType) -> dict[str, str]:
    """SHA-256 of the file the factory is defined in, which stores of before know alone; ours go by their revision."""
    internal = code.__name__.startswith("pipeline.")
    return {} if internal else {"source": sha256(Path(code.__file__)) if code.__file__ else ""}
