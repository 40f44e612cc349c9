"""Networks of model repositories of the Hugging Face Hub: a branch is resolved to a commit once, then the commit holds.

::

    hf://owner/nets/unet.onnx@main ──resolve──► …@main#commit=1f3a… ──fetch──► a file in the library's cache
                                       │                 │
                         once, for a new store      in stores and frozen plans, and sent to workers
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.config.hub_address import HUB_SCHEME, HubFile, hub_file
from pipeline.config.package_files import package_file
from pipeline.errors import ModelError
from pipeline.models.hub.fetch import fetch
from pipeline.models.hub.revision import resolve, revision_remarks


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedModel:
    """A model whose file is on this machine."""

    model: ModelConfig
    remarks: tuple[str, ...] = ()
    """What is to be told of its revision, a sentence each."""


def locate_model(model: ModelConfig, stored: str | None = None, silent: bool = False) -> LocatedModel:
    """Resolve the revision of a network of a model repository, and fetch its file; any other model is as it was.

    Parameters
    ----------
    model
        Of a config.
    stored
        The ``model.path`` of the store that is there already: its commit holds for the same file and revision.
    silent
        Show no progress of the download.

    Raises
    ------
    ModelError
        There is no such repository, revision or file, or it may not be read, or it is not in the cache of a machine
        that asks no server.
    Unfinished
        The server is away.
    """
    if not is_of_hub(model):
        return LocatedModel(model=model)
    file, remarks = _resolved(hub_file(str(model.address)), stored, silent)
    return LocatedModel(model=model.located(fetch(file, silent=silent), str(file)), remarks=remarks)


def fetch_address(address: str) -> Path:
    """The file of an address ``hf://…``, on this machine.

    Raises
    ------
    ValueError
        It has another form.
    ModelError, Unfinished
        As `locate_model`.
    """
    return fetch(_resolved(hub_file(address), None, silent=False)[0])


def model_on_this_machine(model: ModelConfig) -> ModelConfig:
    """The model with its file here, where it was located on another machine.

    Raises
    ------
    ModelError, Unfinished
        As `locate_model`; or the package of its file is not installed here.
    """
    if model.address is None or (model.path is not None and model.path.is_file()):
        return model
    if is_of_hub(model):
        file = hub_file(model.address)
        file = resolve(file, silent=True)[0] if file.commit is None else file
        return model.located(fetch(file, silent=True), str(file))
    try:
        return model.located(package_file(model.address), model.address)
    except ValueError as error:
        raise ModelError(f"model.path is {model.address}, but {error}.") from error


def is_of_hub(model: ModelConfig) -> bool:
    """Whether the network is a file of a model repository."""
    return model.address is not None and model.address.startswith(HUB_SCHEME)


def _resolved(file: HubFile, stored: str | None, silent: bool) -> tuple[HubFile, tuple[str, ...]]:
    """The file at one commit, and what is to be told of it."""
    before = _earlier_file(stored)
    if file.commit is None and before is not None and before.has_same_name(file):
        file = before
    if file.commit is None:
        return resolve(file, silent=silent)
    return file, revision_remarks(file)


def _earlier_file(stored: str | None) -> HubFile | None:
    """The file that a store was made with; None where it was none of a repository."""
    try:
        return None if stored is None else hub_file(stored)
    except ValueError:
        return None
