"""A first config, from a model file and a scene: what they say is written down, what is guessed is marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import BandsError, ConfigError, ModelError
from pipeline.inspect.scene_values import sample
from pipeline.interfaces import Source
from pipeline.models.architectures import NETWORKS
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.model_file import model_file, read_model_file
from pipeline.planning.first_config.network import NetworkFacts, run_network
from pipeline.planning.first_config.planes import plane_select
from pipeline.planning.first_config.scene import at_training_size, scene_settings, source_config
from pipeline.planning.first_config.scene_bands import band_choice, named_bands
from pipeline.planning.first_config.several_inputs import suggest_inputs
from pipeline.planning.first_config.trial import config_warnings
from pipeline.planning.first_config.yaml_sections import header_comments, model_section, output_section, source_section
from pipeline.planning.yaml_text import comment
from pipeline.sources import open_source, with_notes

WITH_ARGS = {"python", "classifier", "smp", "transformers", *NETWORKS}
"""Kinds that are built with arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A config and what is still to be done to it."""

    text: str
    todo: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserHints:
    """What is known beforehand."""

    args: dict[str, Any] | None = None
    """Arguments of the factory, or hyperparameters."""
    bands: list[int | str] | None = None
    """Of the scene in the network's order, counted from 1, or by name."""
    source: dict[str, Any] | None = None
    """Keys of the section ``source``, beside path and bands."""
    key: str | None = None
    """Of what the network returns."""
    inputs: dict[str, str] | None = None
    """Scene of each input of a network of several, by name."""


def suggest(
    model: Path | str, scene: str | None, folder: Path, factory: str | None = None, hints: UserHints | None = None
) -> Suggestion:
    """Look at a model file and a scene, and write a config for them.

    Parameters
    ----------
    model
        File with the weights or the whole network, ``package://module/file``, or ``hf://owner/repository/file``.
    scene
        Path or URL of a raster, a slide, a product, an item of a catalogue or arrays; a folder or glob of several
        rasters that lie beside each other; a template with ``{band}``. None where ``hints.inputs`` names all inputs.
    folder
        Where the config will lie; its paths are relative to that.
    factory
        ``package.module:callable`` or ``file.py:callable`` that builds the network of a file of weights; its code is
        executed.
    hints
        What else is said beforehand.

    Raises
    ------
    InputError
        One of them is missing, is nothing that can be used, or does not fit the other.
    """
    hints, address = hints or UserHints(), str(model)
    model = model_file(address)
    if hints.inputs:
        return _of_inputs(model, address, scene, folder, factory, hints)
    assert scene is not None, "one scene is given where no inputs are"
    settings, model_facts = scene_settings(scene, hints.source), _facts(model, factory, hints)
    planes = plane_select(settings)
    settings = settings if planes is None else {**settings, "select": planes.select}
    named = None if hints.bands else named_bands(settings)
    source = open_source(source_config(settings, named.names if named else hints.bands))
    if "level" in settings and not hints.source and (sized := at_training_size(settings, source, model_facts)):
        settings, source = sized, open_source(source_config(sized, hints.bands))
    network_facts = _network_facts(model, model_facts, scene, source, hints)
    bands = network_facts.bands if network_facts else model_facts.bands
    choice = band_choice(hints.bands, named, source.bands, bands, model_facts.band_names)
    if named and choice:
        source = open_source(source_config(settings, choice.bands))
    values = sample(source)
    parts = [
        header_comments(source, values, model_facts, network_facts, named.titles if named else []),
        source_section(settings, choice, folder, hints.source or {}, planes),
        model_section(address, folder, model_facts, network_facts, source.dtype, values, bands, _typed(factory, hints)),
        output_section(scene),
    ]
    if network_facts is not None:
        parts[0] += [
            comment(f"WARNING: {warning}")
            for warning in config_warnings(network_facts, settings, choice.bands if choice else None, model, parts[2])
        ]
    return Suggestion(text="\n".join("\n".join(part) for part in parts) + "\n", todo=model_facts.todo)


def _of_inputs(
    model: Path, address: str, scene: str | None, folder: Path, factory: str | None, hints: UserHints
) -> Suggestion:
    given = [name for name, value in (("--bands", hints.bands), ("--source", hints.source)) if value is not None]
    if given:
        raise ConfigError(
            f"{given[0]} is of one scene, and --input names several. Leave it out, and write the keys of each input in "
            f"the config."
        )
    facts, inputs = _facts(model, factory, hints), hints.inputs or {}
    config = ModelConfig(path=model, **facts.model, **_trained(facts), **_output(hints))
    text = suggest_inputs(address, config, facts, scene, inputs, folder, _typed(factory, hints))
    return Suggestion(text=text, todo=facts.todo)


def _output(hints: UserHints) -> dict[str, Any]:
    """The section ``output`` of the model, where a key is given."""
    return {"output": {"key": hints.key}} if hints.key is not None else {}


def _typed(factory: str | None, hints: UserHints) -> dict[str, str]:
    """The option by which each key of the section ``model`` was given."""
    options = {"factory": factory, "kind": factory, "args": hints.args, "key": hints.key}
    names = {"kind": "--factory"}
    return {key: names.get(key, f"--{key}") for key, value in options.items() if value is not None}


def _facts(model: Path, factory: str | None, hints: UserHints) -> ModelFacts:
    """What the file says, with what is said beforehand; raises ModelError where there is no use for that."""
    facts = read_model_file(model, factory)
    output = {**facts.output, **({"key": hints.key} if hints.key is not None else {})}
    if hints.args is None:
        return replace(facts, output=output)
    if facts.model["kind"] not in WITH_ARGS:
        raise ModelError(
            f"--args is {hints.args}, but MODEL {model} is {facts.description}, which takes none. Leave it "
            f"out, or name what builds it by --factory."
        )
    return replace(
        facts,
        output=output,
        is_native=facts.is_native and "factory" in facts.model,
        model={**facts.model, "args": {**facts.model.get("args", {}), **hints.args}},
    )


def _network_facts(
    model: Path, model_facts: ModelFacts, scene: str, source: Source, hints: UserHints
) -> NetworkFacts | None:
    """The network at work; None where it cannot run yet.

    Refuses one that takes more bands than there are, or others than are asked for.
    """
    scene_bands = source.bands
    try:
        if model_facts.bands is not None and model_facts.bands > scene_bands:
            raise BandsError("", model_facts.bands)
        if not model_facts.runs:
            return None
        network_facts = run_network(
            ModelConfig(path=model, **model_facts.model, **_trained(model_facts), **_output(hints)),
            scene_bands if hints.bands else model_facts.bands or scene_bands,
        )
        if hints.bands and network_facts.bands != scene_bands:
            raise BandsError("", network_facts.bands)
        return network_facts
    except BandsError as error:
        if hints.bands:
            raise ModelError(
                f"--bands names {scene_bands} bands, but MODEL {model} takes {error.expected}. Name as "
                f"many, in the order of its training."
            ) from error
        message = (
            f"MODEL {model} takes {error.expected} bands, but SCENE {scene} has {scene_bands}. Give a scene "
            f"that has them all, such as a VRT that stacks "
            "several files (gdalbuildvrt -separate), or a network for these bands."
        )
        raise ModelError(with_notes(message, source)) from error


def _trained(facts: ModelFacts) -> dict[str, Any]:
    """The training size, as a section of the config."""
    return {"input": {"size": facts.input["size"]}} if "size" in facts.input else {}
