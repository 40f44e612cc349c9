"""Weight files: state dicts read without executing anything, and files of ours that say what they are."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ModelError
from pipeline.models.weights.file_type import SAFETENSORS, SAVED, detect_file_type, first_line, wrong_file_error

if TYPE_CHECKING:
    import torch

    from pipeline.models.weights.torch_pickle import Fetch

METADATA_KEY = "wholecloth"
"""Metadata entry of a safetensors file of ours."""
CUT = "Write it again, or fetch it again if it was cut short."


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
    output: dict[str, Any] = field(default_factory=dict)
    """What is said in ``model.output`` beyond its defaults."""
    pixel_size: float | None = None
    """Of the images it was taught with, m on the ground; None where it is not known."""


def save(path: Path, module: torch.nn.Module, meta: ModelMeta) -> None:
    """Write a network's weights as safetensors, with what is needed to run it."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    # releases before it can read what needs none
    document = {key: value for key, value in asdict(meta).items() if value or key not in ("output", "pixel_size")}
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(document)})


def read_model_meta(path: Path) -> ModelMeta | None:
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
            metadata = json.loads(file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, AttributeError, struct.error) as error:
        raise wrong_file_error(
            path, SAFETENSORS, error, "Give one, or a .pt file with model.kind: torchscript or python."
        ) from error
    try:
        return ModelMeta(**json.loads(metadata[METADATA_KEY])) if METADATA_KEY in metadata else None
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"model.path {path} says of itself what this release does not understand ({first_line(error)}). "
            f"Save it again with this release, or upgrade."
        ) from error


def load_into(module: torch.nn.Module, path: Path, unused: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Load weights strictly.

    Every key must be there, and no other but those of losses and metrics and those that begin with one of ``unused``.

    Returns
    -------
    tuple
        What was unwrapped and left out on the way, in words.

    Raises
    ------
    ModelError
        The file cannot be read without executing code, or does not fit the network.
    """
    from pipeline.models.weights.checkpoint_keys import select_entries

    with _open_content(path) as (content, fetch):
        choice = select_entries(content, module.state_dict(), path, unused)
        try:
            state = {name: fetch(entry) for name, entry in choice.entries.items()}
        except Exception as error:  # whatever cut or damaged bytes make the reader raise
            raise wrong_file_error(path, SAVED, error, CUT) from error
    module.load_state_dict(state)  # without the version of batch norm, torch itself adds the counters
    return choice.notes


def peek(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Shapes of the tensors by key, and the hyperparameters beside them where a trainer left any.

    Raises
    ------
    ModelError
        The file holds no state dict.
    """
    from pipeline.models.weights.checkpoint_keys import unwrap

    with _open_content(path) as (content, _):
        state, _, _ = unwrap(content, path)
        hyperparameters = content.get("hyper_parameters") if isinstance(content, Mapping) else None
        shapes = {name: tuple(value.shape) for name, value in state.items() if hasattr(value, "shape")}
    return shapes, dict(hyperparameters) if isinstance(hyperparameters, Mapping) else {}


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file for whatever network they fit, nests and wrappers' prefixes taken off, on the CPU.

    Raises
    ------
    ModelError
        The file cannot be read without executing code, or holds no state dict.
    """
    from pipeline.models.weights.checkpoint_keys import strip_wrappers, unwrap

    with _open_content(path) as (content, fetch):
        entries = strip_wrappers(unwrap(content, path)[0])
        try:
            return {name: fetch(entry) for name, entry in entries.items()}
        except Exception as error:  # whatever cut or damaged bytes make the reader raise
            raise wrong_file_error(path, SAVED, error, CUT) from error


@contextmanager
def _open_content(path: Path) -> Iterator[tuple[Any, Fetch]]:
    """What a file holds, and what reads its tensors."""
    from pipeline.models.weights.torch_pickle import open_torch_file

    with ExitStack() as stack:
        if path.suffix == ".safetensors":
            content: tuple[Any, Fetch] = (_safetensors(path), lambda tensor: tensor)
        elif detect_file_type(path) != SAVED:
            raise wrong_file_error(path, SAVED, ValueError(), "Save the network's state_dict() with torch.save.")
        else:
            try:
                content = stack.enter_context(open_torch_file(path))
            except Exception as error:  # whatever the bytes make the reader raise
                raise wrong_file_error(path, SAVED, error, CUT) from error
        yield content


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise wrong_file_error(path, SAFETENSORS, error, CUT) from error
