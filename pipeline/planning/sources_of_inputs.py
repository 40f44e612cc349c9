"""The sources of all inputs of a network: those that the config names, and which input ``source`` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import Config, InputBands, ModelConfig, SourceConfig
from pipeline.interfaces import Source
from pipeline.models.several_inputs.model_signature import read_signature
from pipeline.models.several_inputs.signature import require_named
from pipeline.sources.inputs import REFERENCE_SECTION, InputSection, open_inputs
from pipeline.sources.overview import without_wrappers
from pipeline.sources.stacked.inputs_source import InputsSource


def open_sources_of_inputs(
    config: Config, stored: Mapping[str, Any] | None = None
) -> tuple[Source, tuple[InputBands, ...]]:
    """Open what the inputs of a network are read from, and tell the bands of each.

    Parameters
    ----------
    config, stored
        As for `open_sources`; the config has ``model.inputs``.

    Raises
    ------
    SourceError
        A source is missing, unreadable, or lies on another grid than the others.
    ModelError
        The network does not take the inputs that the config names.
    Unfinished
        A source does not answer in time.
    """
    sections, reference = _sections(config)
    source = open_inputs(sections, reference, config.execution.read_timeout, stored)
    return source, _bands(source)


def _sections(config: Config) -> tuple[list[InputSection], SourceConfig | None]:
    """What each input is read from, and the section that gives the grid alone."""
    sections = [
        InputSection(name=name, section=f"model.inputs.{name}", config=entry)
        for name, entry in config.model.inputs.items()
    ]
    if "source" not in config.model_fields_set:
        return sections, None
    name = _input_of_source(config.model)
    if name is None:
        return sections, config.source
    return [InputSection(name=name, section=REFERENCE_SECTION, config=config.source), *sections], None


def _input_of_source(model: ModelConfig) -> str | None:
    """The one input that the network needs and ``model.inputs`` does not name; None where it names all.

    Raises ModelError where the names are not those of the network.
    """
    signature = read_signature(model)
    if signature is None:  # loading the network tells that it takes one image
        return None
    lacking = [name for name in signature.required if name not in model.inputs]
    name = lacking[0] if len(lacking) == 1 else None
    require_named(signature, [*model.inputs, *([name] if name else [])], model.factory or model.path)
    return name


def _bands(source: Source) -> tuple[InputBands, ...]:
    combined = without_wrappers(source)
    assert isinstance(combined, InputsSource), "sources of several inputs are opened as one"
    return tuple(InputBands(part.name, part.source.bands) for part in combined.parts)
