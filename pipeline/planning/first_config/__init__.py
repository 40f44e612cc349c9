"""A first config, from a model file and a scene: what they say is written down, what is guessed is marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig, SourceConfig
from pipeline.errors import BandsError, ModelError
from pipeline.inspect.scene_values import sample
from pipeline.interfaces import Source
from pipeline.models.architectures import NETWORKS
from pipeline.planning.first_config.facts import Facts
from pipeline.planning.first_config.model_file import look
from pipeline.planning.first_config.network import Seen, see
from pipeline.planning.first_config.trial import warnings
from pipeline.planning.first_config.yaml_sections import head, model_section, output_section, source_section
from pipeline.planning.first_config.yaml_text import comment
from pipeline.sources import open_source, with_notes

WITH_ARGS = {"python", "classifier", "smp", *NETWORKS}
"""Kinds that are built with arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A config and what is still to be done to it."""

    text: str
    todo: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is known beforehand."""

    args: dict[str, Any] | None = None
    """Arguments of the factory, or hyperparameters."""
    bands: list[int] | None = None
    """Of the scene in the network's order, counted from 1."""
    key: str | None = None
    """Of what the network returns."""


def suggest(model: Path, scene: str, folder: Path, factory: str | None = None, wishes: Wishes | None = None) -> Suggestion:
    """Look at a model file and a scene, and write a config for them.

    Parameters
    ----------
    model
        File with the weights or the whole network.
    scene
        Path or URL of a raster.
    folder
        Where the config will lie; its paths are relative to that.
    factory
        ``package.module:callable`` or ``file.py:callable`` that builds the network of a file of weights; its code is executed.
    wishes
        What else is said beforehand.

    Raises
    ------
    InputError
        One of them is missing, is nothing that can be used, or does not fit the other.
    """
    wishes = wishes or Wishes()
    source, known = open_source(SourceConfig(path=scene, bands=wishes.bands)), _facts(model, factory, wishes)
    seen = _seen(model, known, scene, source, wishes)
    bands = seen.bands if seen else known.bands
    values = sample(source)
    parts = [
        head(source, values, known, seen),
        source_section(scene, source.bands, bands, folder, wishes.bands),
        model_section(model, folder, known, seen, source.dtype, values, bands),
        output_section(scene),
    ]
    if seen is not None:
        parts[0] += [comment(f"WARNING: {words}") for words in warnings(seen, scene, wishes.bands, model, parts[2])]
    return Suggestion(text="\n".join("\n".join(part) for part in parts) + "\n", todo=known.todo)


def _facts(model: Path, factory: str | None, wishes: Wishes) -> Facts:
    """What the file says, with what is said beforehand; raises ModelError where there is no use for that."""
    facts = look(model, factory)
    output = {**facts.output, **({"key": wishes.key} if wishes.key is not None else {})}
    if wishes.args is None:
        return replace(facts, output=output)
    if facts.model["kind"] not in WITH_ARGS:
        raise ModelError(f"--args is {wishes.args}, but MODEL {model} is {facts.what}, which takes none. Leave it out, or name what builds it by --factory.")
    return replace(facts, output=output, ours=False, model={**facts.model, "args": {**facts.model.get("args", {}), **wishes.args}})


def _seen(model: Path, known: Facts, scene: str, source: Source, wishes: Wishes) -> Seen | None:
    """The network at work; None where it cannot run yet. Refuses one that takes more bands than there are, or others than are asked for."""
    there = source.bands
    try:
        if known.bands is not None and known.bands > there:
            raise BandsError("", known.bands)
        if not known.runs:
            return None
        output = {"output": {"key": wishes.key}} if wishes.key is not None else {}
        sight = see(ModelConfig(path=model, **known.model, **_trained(known), **output), there if wishes.bands else known.bands or there)
        if wishes.bands and sight.bands != there:
            raise BandsError("", sight.bands)
        return sight
    except BandsError as error:
        if wishes.bands:
            raise ModelError(f"--bands names {there} bands, but MODEL {model} takes {error.wanted}. Name as many, in the order of its training.") from error
        words = (
            f"MODEL {model} takes {error.wanted} bands, but SCENE {scene} has {there}. Give a scene that has them all, such as a VRT that stacks "
            "several files (gdalbuildvrt -separate), or a network for these bands."
        )
        raise ModelError(with_notes(words, source)) from error


def _trained(facts: Facts) -> dict[str, Any]:
    """The training size, as a section of the config."""
    return {"input": {"size": facts.input["size"]}} if "size" in facts.input else {}
