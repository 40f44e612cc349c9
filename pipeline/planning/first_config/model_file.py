"""Which of the readers knows a model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config.hub_address import HUB_SCHEME
from pipeline.config.package_files import PACKAGE_SCHEME, package_file
from pipeline.errors import ModelError
from pipeline.models import KINDS
from pipeline.models.descriptions import read_description
from pipeline.models.hub import fetch_address
from pipeline.models.weights import read_model_meta
from pipeline.models.weights.file_type import (
    EXPORTED,
    ONNX,
    SAFETENSORS,
    SAVED,
    TORCHSCRIPT,
    detect_file_type,
    folder_error,
    wrong_file_error,
)
from pipeline.planning.first_config import described, onnx_file, wsinfer
from pipeline.planning.first_config.facts import ModelFacts

TRANSFORM = "model.input.transform: the code that changed raw pixels when the weights were trained, as FILE.py:NAME"


def model_file(address: str) -> Path:
    """The file of MODEL, fetched where it is of a model repository.

    Raises
    ------
    ModelError
        Its package or repository has no such file.
    Unfinished
        It is to be fetched, and the server is away.
    """
    try:
        if address.startswith(PACKAGE_SCHEME):
            return package_file(address)
        return fetch_address(address) if address.startswith(HUB_SCHEME) else Path(address)
    except ValueError as error:
        raise ModelError(f"MODEL is {address}, but {error}.") from error


def read_model_file(path: Path, factory: str | None = None) -> ModelFacts:
    """Look at a model file.

    Parameters
    ----------
    path
        File with the weights or the whole network, or a model description.
    factory
        What builds the network, where the file holds weights alone.

    Raises
    ------
    ModelError
        It is missing, nothing that a network can be made of, a description that cannot be used, or whole although
        there is a factory.
    """
    description = read_description(path)
    if description is not None:
        return described.facts(description, factory)
    if path.is_dir():
        raise folder_error(path, "MODEL")
    if not path.is_file():
        raise ModelError(f"MODEL is {path}, which does not exist. Give the file with the weights or the whole network.")
    file_type = detect_file_type(path)
    if file_type not in FACT_READERS:
        raise wrong_file_error(
            path, SAVED, ValueError(), "Give a TorchScript file, an exported program, a checkpoint or safetensors."
        )
    facts = FACT_READERS[file_type](path)
    if factory is None:
        return facts
    if facts.is_native or file_type not in (SAVED, SAFETENSORS):
        raise ModelError(
            f"--factory is {factory}, but MODEL {path} is {facts.description}, which needs none. Leave it "
            f"out, or give a file of weights."
        )
    return ModelFacts(description="weights of that factory's network", model={"kind": "python", "factory": factory})


def _exported(path: Path) -> ModelFacts:
    return ModelFacts(description=EXPORTED, model={"kind": "exported"})


def _safetensors(path: Path) -> ModelFacts:
    meta = read_model_meta(path)
    if meta is None:
        return _state(path)
    if meta.kind not in KINDS:
        raise ModelError(
            f"MODEL {path} says that it is a {meta.kind}, which this release does not know. Upgrade, or "
            f"give another file."
        )
    return ModelFacts(
        description=f"a file of ours, {meta.kind}",
        model={"kind": meta.kind, "args": meta.args},
        runs="transform" not in meta.input,
        todo=(TRANSFORM,) if "transform" in meta.input else (),
        is_native=True,
        bands=(len(meta.bands) if "transform" in meta.input else meta.args.get("bands") or len(meta.bands)) or None,
        band_names=tuple(meta.bands),
        classes=meta.classes,
        input=meta.input,
        pixel_size=meta.pixel_size,
        notes=(f"its bands, in order: {', '.join(meta.bands)}",) if meta.bands else (),
    )


def _state(path: Path) -> ModelFacts:
    from pipeline.planning.first_config.state_dict import facts_from_state_dict

    guessed = facts_from_state_dict(path)
    return ModelFacts(
        description="weights without their network",
        model=guessed.model,
        runs=False,
        bands=guessed.bands,
        channels=guessed.channels,
        todo=guessed.todo,
    )


FACT_READERS: dict[str, Callable[[Path], ModelFacts]] = {
    TORCHSCRIPT: wsinfer.facts,
    EXPORTED: _exported,
    SAFETENSORS: _safetensors,
    SAVED: _state,
    ONNX: onnx_file.facts,
}
