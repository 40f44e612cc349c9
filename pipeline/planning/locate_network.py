"""The file of a network of a model repository, at the commit that its store or frozen plan was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.config import Config
from pipeline.models.hub import is_of_hub, locate_model
from pipeline.store import lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedNetwork:
    """A config whose network is a file of this machine, or needs none."""

    config: Config
    remarks: tuple[str, ...]
    """What is to be told of its revision, a sentence each."""


def locate_network(config: Config, stored: Mapping[str, Any] | None, silent: bool = False) -> LocatedNetwork:
    """Fetch the network of a config.

    Parameters
    ----------
    config
        Of a job. A frozen plan names the commit itself.
    stored
        What the store says of itself, where it is there already: its commit holds.
    silent
        Show no progress of a download.

    Raises
    ------
    ModelError, Unfinished
        It cannot be had.
    """
    if config.model.members:
        return _locate_members(config, stored, silent)
    located = locate_model(config.model, _stored_address(stored), silent)
    return LocatedNetwork(config=config.model_copy(update={"model": located.model}), remarks=located.remarks)


def locate_network_of_store(config: Config) -> LocatedNetwork:
    """The same for a command that only looks: the store is read here, where a network of a repository asks for it."""
    path = config.output.path
    models = [member.model for member in config.model.members] or [config.model]
    has_store = any(map(is_of_hub, models)) and lifecycle.exists(path) and lifecycle.is_mask_store(path)
    return locate_network(config, lifecycle.read_store_meta(path) if has_store else None)


def _locate_members(config: Config, stored: Mapping[str, Any] | None, silent: bool) -> LocatedNetwork:
    """The same of each network of a list, by its place in the list of the store."""
    members, remarks = [], list[str]()
    for place, member in enumerate(config.model.members):
        located = locate_model(member.model, _stored_address(stored, place), silent)
        members.append(replace(member, model=located.model))
        remarks += [f"network {place + 1}: {text}" for text in located.remarks]
    model = config.model.with_members(tuple(members))
    return LocatedNetwork(config=config.model_copy(update={"model": model}), remarks=tuple(remarks))


def _stored_address(stored: Mapping[str, Any] | None, place: int = 0) -> str | None:
    """``model.path`` of a store, or that of one network of its list; None where there is none."""
    path = ((stored or {}).get("config") or {}).get("model", {}).get("path")
    if isinstance(path, list):
        path = path[place] if place < len(path) else None
        path = path.get("path") if isinstance(path, dict) else path
    return path if isinstance(path, str) else None
