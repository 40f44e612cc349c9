"""Which of the readers knows a model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import ModelError
from pipeline.models import KINDS
from pipeline.models.weights import read_meta
from pipeline.models.weights.file_type import EXPORTED, ONNX, SAFETENSORS, SAVED, TORCHSCRIPT, in_folder, recognise, unreadable
from pipeline.planning.first_config import deepness, wsinfer
from pipeline.planning.first_config.facts import Facts
from pipeline.planning.first_config.state_dict import guess

TRANSFORM = "model.input.transform: the code that changed raw pixels when the weights were trained, as FILE.py:NAME"


def look(path: Path, factory: str | None = None) -> Facts:
    """Look at a model file.

    Parameters
    ----------
    path
        File with the weights or the whole network.
    factory
        What builds the network, where the file holds weights alone.

    Raises
    ------
    ModelError
        It is missing, nothing that a network can be made of, or whole although there is a factory.
    """
    if path.is_dir():
        raise in_folder(path, "MODEL")
    if not path.is_file():
        raise ModelError(f"MODEL is {path}, which does not exist. Give the file with the weights or the whole network.")
    found = recognise(path)
    if found not in READERS:
        raise unreadable(path, SAVED, ValueError(), "Give a TorchScript file, an exported program, a checkpoint or safetensors.")
    known = READERS[found](path)
    if factory is None:
        return known
    if known.ours or found not in (SAVED, SAFETENSORS):
        raise ModelError(f"--factory is {factory}, but MODEL {path} is {known.what}, which needs none. Leave it out, or give a file of weights.")
    return Facts(what="weights of that factory's network", model={"kind": "python", "factory": factory})


def _exported(path: Path) -> Facts:
    return Facts(what=EXPORTED, model={"kind": "exported"})


def _safetensors(path: Path) -> Facts:
    meta = read_meta(path)
    if meta is None:
        return _state(path)
    if meta.kind not in KINDS:
        raise ModelError(f"MODEL {path} says that it is a {meta.kind}, which this release does not know. Upgrade, or give another file.")
    return Facts(
        what=f"a file of ours, {meta.kind}",
        model={"kind": meta.kind, "args": meta.args},
        runs="transform" not in meta.input,
        todo=(TRANSFORM,) if "transform" in meta.input else (),
        ours=True,
        bands=(len(meta.bands) if "transform" in meta.input else meta.args.get("bands") or len(meta.bands)) or None,
        classes=meta.classes,
        input=meta.input,
        notes=(f"its bands, in order: {', '.join(meta.bands)}",) if meta.bands else (),
    )


def _state(path: Path) -> Facts:
    found = guess(path)
    return Facts(what="weights without their network", model=found.model, runs=False, bands=found.bands, channels=found.channels, todo=found.todo)


READERS: dict[str, Callable[[Path], Facts]] = {
    TORCHSCRIPT: wsinfer.facts,
    EXPORTED: _exported,
    SAFETENSORS: _safetensors,
    SAVED: _state,
    ONNX: deepness.facts,
}
