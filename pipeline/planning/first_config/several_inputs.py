"""A first config of a network of several inputs, each with a scene of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import InputBands, ModelConfig, NetworkInputConfig
from pipeline.config.explain import explain
from pipeline.errors import BandsError, ConfigError, ModelError
from pipeline.inspect.report.inputs import input_facts, input_sentences
from pipeline.inspect.scene_values import guess_normalisation, sample
from pipeline.interfaces import Source
from pipeline.models import load
from pipeline.models.several_inputs.model_signature import read_signature
from pipeline.models.several_inputs.signature import require_named
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.network import CPU_DEVICE, NetworkFacts, measured_facts
from pipeline.planning.first_config.scene import scene_settings
from pipeline.planning.first_config.scene_bands import named_bands
from pipeline.planning.first_config.yaml_sections import (
    HEADER,
    model_section,
    network_notes,
    output_section,
    relative_path,
)
from pipeline.planning.yaml_text import comment, key_line
from pipeline.sources.inputs import InputSection, open_inputs
from pipeline.sources.overview import without_wrappers
from pipeline.sources.stacked.inputs_source import InputsSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedInput:
    """The section of one input."""

    settings: dict[str, Any]
    """Keys of its source."""
    origin: str
    """What gave its path, for the comment beside it."""
    bands_origin: str = ""
    """Where its bands come from; empty where none are chosen."""

    def with_bands(self, bands: list[int | str], origin: str) -> SuggestedInput:
        """The same with some bands of its scene."""
        return replace(self, settings={**self.settings, "bands": bands}, bands_origin=origin)

    def section(self, name: str) -> InputSection:
        """As it is opened. Raises ConfigError where its keys make no source."""
        try:
            config = NetworkInputConfig(**self.settings)
        except ValidationError as error:
            raise ConfigError(f"--input {name} makes no source: {explain(error, 'source')}") from error
        return InputSection(name=name, section=f"model.inputs.{name}", config=config)


def suggest_inputs(
    address: str,
    model: ModelConfig,
    facts: ModelFacts,
    scene: str | None,
    inputs: Mapping[str, str],
    folder: Path,
    typed: Mapping[str, str],
) -> str:
    """Look at a network and a scene for each of its inputs, and write a config for them.

    Parameters
    ----------
    address
        MODEL, as it was given.
    model, facts
        What its file says.
    scene
        The scene of the one input that is not named; None where all are.
    inputs
        Path of a scene, by the name of the input.
    folder
        Where the config will lie; its paths are relative to that.
    typed
        The option by which each key of the section ``model`` was given.

    Raises
    ------
    InputError
        One of them is missing, cannot be used, or does not fit the others.
    """
    if not facts.runs:
        raise ModelError(
            f"MODEL {address} is {facts.description}, and --input needs a network that runs. Name what builds it by "
            f"--factory."
        )
    sections, network_facts, source = _fitted(model, _suggested(model, scene, inputs))
    header = [*HEADER, *_scene_notes(source), *network_notes(facts, network_facts)]
    header += [
        f"input {sentence}" for sentence in input_sentences(input_facts(network_facts.network, network_facts.locality))
    ]
    lines = ["  inputs:", *(line for name in sections for line in _lines(name, sections[name], source, folder))]
    values = sample(source)
    parts = [
        [comment(text) for text in header],
        model_section(address, folder, facts, network_facts, source.dtype, values, source.bands, typed, lines),
        output_section(next(iter(sections.values())).settings["path"]),
    ]
    return "\n".join("\n".join(part) for part in parts) + "\n"


def _suggested(model: ModelConfig, scene: str | None, inputs: Mapping[str, str]) -> dict[str, SuggestedInput]:
    """The source of each input, in the network's order where it tells one."""
    signature = read_signature(model)
    if signature is None:
        raise ModelError(
            f"--input names {', '.join(inputs)}, but networks of kind {model.kind} take one image. Leave --input out."
        )
    lacking = [name for name in signature.required if name not in inputs]
    paths = {name: (path, f"given: --input {name}") for name, path in inputs.items()}
    if scene is not None:
        if len(lacking) != 1:
            raise ConfigError(
                f"SCENE is the source of the one input that --input does not name, and the network leaves "
                f"{', '.join(lacking) or 'none'} open. Name the source of each input by --input NAME=FILE."
            )
        paths = {lacking[0]: (scene, "given: SCENE"), **paths}
    require_named(signature, list(paths), model.factory or model.path)
    ordered = sorted(paths, key=lambda name: _place(name, signature.names))
    return {name: _suggestion(*paths[name]) for name in ordered}


def _place(name: str, names: tuple[str, ...]) -> int:
    return names.index(name) if name in names else len(names)


def _suggestion(path: str, origin: str) -> SuggestedInput:
    settings = scene_settings(path)
    names = named_bands(settings)
    suggestion = SuggestedInput(settings=settings, origin=origin)
    return suggestion if names is None else suggestion.with_bands(list(names.names), "all bands of the scene, by name")


def _fitted(
    model: ModelConfig, inputs: dict[str, SuggestedInput]
) -> tuple[dict[str, SuggestedInput], NetworkFacts, InputsSource]:
    """The inputs with as many of their bands as the network takes, and what was seen of both."""
    while True:
        source = _combined(open_inputs([entry.section(name) for name, entry in inputs.items()], None))
        bands = tuple(InputBands(part.name, part.source.bands) for part in source.parts)
        resolved = model.with_input_bands(bands)
        try:
            network = load(resolved, source.bands, CPU_DEVICE)
        except BandsError as error:
            inputs = _with_fewer_bands(inputs, dict(bands), error)
        else:
            return inputs, measured_facts(network, source.bands, resolved), source


def _with_fewer_bands(
    inputs: dict[str, SuggestedInput], bands: dict[str, int], error: BandsError
) -> dict[str, SuggestedInput]:
    """The inputs with the first bands of one scene; raises the error where that scene has too few."""
    name, expected = error.input_name, error.expected
    if name not in inputs or bands[name] <= expected:
        raise error
    first = inputs[name].settings.get("bands", list(range(1, bands[name] + 1)))[:expected]
    reason = f"GUESS: the first {expected} of {bands[name]} bands, as many as the network takes there"
    return {**inputs, name: inputs[name].with_bands(first, reason)}


def _combined(source: Source) -> InputsSource:
    combined = without_wrappers(source)
    assert isinstance(combined, InputsSource), "sources of several inputs are opened as one"
    return combined


def _scene_notes(source: InputsSource) -> list[str]:
    return [f"scenes, by their tags: {source.grid.height} × {source.grid.width} px", *source.notes]


def _lines(name: str, entry: SuggestedInput, source: InputsSource, folder: Path) -> list[str]:
    """The section of one input."""
    part = next(part.source for part in source.parts if part.name == name)
    suggested, reason = guess_normalisation(part.dtype, sample(part))
    origins = {"path": entry.origin, "bands": entry.bands_origin}
    values = {**entry.settings, "path": relative_path(entry.settings["path"], folder)}
    lines = [key_line(6, key, value, origins.get(key, "")) for key, value in values.items()]
    guess = f"GUESS: {reason}; what counts is what the network was trained with"
    return [f"    {name}:", *lines, key_line(6, "input", suggested, guess)]
