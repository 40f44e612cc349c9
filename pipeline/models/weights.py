"""Weight files: state dicts read without executing anything, and files of ours that say what they are."""

from __future__ import annotations

import difflib
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.recognise import SAFETENSORS, SAVED, first_line, recognise, unreadable

KEY = "wholecloth"
"""Metadata entry of a safetensors file of ours."""
COUNTER = "num_batches_tracked"
"""Not in state dicts written before torch 0.4.1, and of no use after training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMeta:
    """What a file of ours says of itself."""

    kind: str
    """Name of the network, as in ``model.kind``."""
    args: dict[str, Any] = field(default_factory=dict)
    """Hyperparameters of the network."""
    bands: list[str] = field(default_factory=list)
    """Names of the input bands, in order."""
    input: dict[str, Any] = field(default_factory=dict)
    """Normalisation: scale, offset, mean, std, each a number or one per band."""
    classes: list[dict[str, Any]] = field(default_factory=list)
    """Name and colour of each class."""


def save(path: Path, module: torch.nn.Module, meta: ModelMeta) -> None:
    """Write a network's weights as safetensors, with what is needed to run it."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={KEY: json.dumps(asdict(meta))})


def read_meta(path: Path) -> ModelMeta | None:
    """What a safetensors file says of itself, or None where it is not one of ours.

    Raises
    ------
    ModelError
        The file is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 100 * 2**20:
                raise ValueError("its header is longer than any")
            said = json.loads(file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, AttributeError, struct.error) as error:
        raise unreadable(path, SAFETENSORS, error, "Give one, or a .pt file with model.kind: torchscript or python.") from error
    try:
        return ModelMeta(**json.loads(said[KEY])) if KEY in said else None
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"model.path {path} says of itself what this release does not understand ({first_line(error)}). Save it again with this release, or upgrade."
        ) from error


def load_into(module: torch.nn.Module, path: Path, unused: tuple[str, ...] = ()) -> None:
    """Load a state dict strictly: every key must be there, and no other but those that begin with one of ``unused``.

    Raises
    ------
    ModelError
        The file cannot be read without executing code, or does not fit the network.
    """
    state = {name: tensor for name, tensor in _read(path).items() if not name.startswith(unused)}
    wanted = {name: tensor for name, tensor in module.state_dict().items() if name in state or not name.endswith(COUNTER)}
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        raise ModelError(f"model.path {path} does not fit the network: {_explain(missing, extra)}. Give the weights of this network, or change model.args.")
    for name, tensor in wanted.items():
        if tensor.shape != state[name].shape:
            raise ModelError(
                f"model.path {path} does not fit the network: {name} is {tuple(state[name].shape)} in the file and {tuple(tensor.shape)} in the "
                "network (the first two numbers are outputs and inputs: classes and bands). Change model.args or source.bands."
            )
    module.load_state_dict(state)  # without the version of batch norm, torch itself adds the counters


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise unreadable(path, SAFETENSORS, error, "Write it again, or fetch it again if it was cut short.") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the bytes make it raise
        if recognise(path) == SAVED:
            raise ModelError(
                f"model.path {path} holds more than tensors, or is cut short, and cannot be read without executing code. "
                "Save the network's state_dict() alone, or convert it to safetensors."
            ) from error
        raise unreadable(path, SAVED, error, "Save the network's state_dict() with torch.save.") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        held = f" with {', '.join(map(str, list(state)[:5]))}" if isinstance(state, Mapping) else ""
        raise ModelError(f"model.path {path} holds {type(state).__name__}{held}, not a state dict of tensors. Save the network's state_dict() alone.")
    return dict(state)


def _explain(missing: list[str], extra: list[str]) -> str:
    said = []
    for name in missing[:3]:
        near = difflib.get_close_matches(name, extra, 1)
        said.append(f"{name} is missing" + (f" (nearest in the file: {near[0]})" if near else ""))
    said += [f"{name} is not a part of it" for name in extra[:3]]
    more = len(missing) + len(extra) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")
