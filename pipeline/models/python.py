"""``kind: python``: a network built by the user's own code, which runs with the user's rights."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError, ModelError
from pipeline.foreign import fault
from pipeline.models.loaded import Loaded
from pipeline.models.recognise import first_line
from pipeline.models.weights import load_into, sha256


def load(model: ModelConfig, bands: int, device: torch.device) -> Loaded:
    """Call the factory with ``args`` and load the state dict strictly.

    Raises
    ------
    ConfigError, ModelError
        The factory is not named, not found, or fails; or the weights do not fit.
    """
    module, said, notes = build(model)
    return Loaded(module=module.to(device), said=said, key=model.output.key, notes=notes)


def build(model: ModelConfig) -> tuple[torch.nn.Module, dict[str, Any], tuple[str, ...]]:
    """What the factory makes, with its weights, in eval mode; what makes it this network; what was left of its file. Raises as ``load`` does."""
    place, _, name = (model.factory or "").rpartition(":")
    if not place or not name:
        raise ConfigError(f"model.factory is {model.factory!r}; kind {model.kind} needs package.module:callable or file.py:callable.")
    code = _import(place)
    factory = _find(code, place, name)
    try:
        module = factory(**model.args)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        way = fault(error) or f"{first_line(error)}. Mend it, or change model.args."
        raise ModelError(f"model.factory {model.factory} failed with args {model.args}: {way}") from error
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"model.factory {model.factory} returned {type(module).__name__}; it must return a torch.nn.Module.")
    notes = load_into(module, model.path) if model.path is not None else ()
    said = {"kind": "python", "factory": name, "args": json.dumps(model.args, sort_keys=True, default=str), "source": _source(code)}
    said |= {"sha256": sha256(model.path)} if model.path is not None else {}
    return module.eval().float(), said, notes


def _import(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place)
        name = f"wholecloth_user_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ModelError(f"model.factory names {place}, which does not exist. Give file.py:callable relative to the config file.")
        code = importlib.util.module_from_spec(spec)
        sys.modules[name] = code  # classes defined there must be found again by name
        spec.loader.exec_module(code)
        return code
    except ModelError:
        raise
    except (Exception, SystemExit) as error:  # as above
        raise ModelError(f"model.factory names {place}, which cannot be imported: {fault(error) or first_line(error) + '.'}") from error


def _find(code: ModuleType, place: str, name: str) -> Callable[..., Any]:
    factory = getattr(code, name, None)
    if callable(factory):
        return cast(Callable[..., Any], factory)
    near = difflib.get_close_matches(name, [other for other in vars(code) if callable(getattr(code, other))], 1)
    raise ModelError(
        f"model.factory names {name} in {place}, which is {'not there' if factory is None else 'not callable'}"
        + (f"; nearest is {near[0]}." if near else ". Name the function or class that makes the network.")
    )


def _source(code: ModuleType) -> str:
    """SHA-256 of the file the factory is defined in: other code is another network."""
    return sha256(Path(code.__file__)) if code.__file__ else ""
