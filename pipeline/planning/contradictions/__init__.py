"""What in a config contradicts its files: a paragraph each, with what to change.

The source comes first, then the network on it, then both together. What cannot be opened is a contradiction too, and
what depends on it is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.config import Config
from pipeline.errors import InputError, PipelineError
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Source
from pipeline.planning.contradictions.model_file import model_file_contradictions
from pipeline.planning.contradictions.network import network_contradictions
from pipeline.planning.contradictions.source import source_contradictions
from pipeline.planning.contradictions.values import value_contradictions
from pipeline.planning.input_sources import open_sources
from pipeline.planning.load_network import LoadedNetwork, load_network
from pipeline.planning.locate_network import locate_network_of_store
from pipeline.sources.band_tags import read_band_tags
from pipeline.sources.only import open_areas

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was looked at, and what contradicts."""

    paragraphs: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    """What was looked at, in words."""

    def attempt(self, work: Callable[[], T], name: str) -> T | None:
        """The result of an opening; None where it is refused, and then the refusal is a paragraph."""
        try:
            result = work()
        except InputError as error:
            self.add([str(error)])
            return None
        self.checked.append(name)
        return result

    def add(self, paragraphs: Iterator[str] | list[str]) -> None:
        """Take paragraphs that are not there yet."""
        self.paragraphs += [text for text in paragraphs if text not in self.paragraphs]


def find_contradictions(config: Config) -> Findings:
    """Compare a config with its raster, its area of interest and its network.

    The network is loaded and looked at by a few small passes; neither radius nor memory is measured.

    Raises
    ------
    PlanError
        The network does not fit the memory.
    """
    findings = Findings()
    opened = findings.attempt(
        lambda: open_sources(locate_network_of_store(config).config if config.model.inputs else config), "source"
    )
    if opened is None:
        return findings
    source = opened[1]
    findings.add(source_contradictions(config.source, source, config.model.inputs))
    findings.add(model_file_contradictions(config.model, source, read_band_tags(source)))
    limits = config.source.aoi is not None or config.source.only is not None
    if not limits or findings.attempt(lambda: open_areas(config.source, source), "area of interest") is not None:
        _check_network(findings, config, source)
    else:  # the network is looked at all the same
        everything = {"aoi": None, "only": None, "tissue": None}
        rest = config.model_copy(update={"source": config.source.model_copy(update=everything)})
        _check_network(findings, rest, source)
    return findings


def _check_network(findings: Findings, config: Config, source: Source) -> None:
    loaded = findings.attempt(lambda: load_network(config), "network")
    if loaded is None:
        return
    findings.add(network_contradictions(config, loaded.locality, loaded.network.accepts))
    recipe = findings.attempt(lambda: loaded.recipe(loaded.config), "classes and output")
    if recipe is not None:
        _check_values(findings, loaded, recipe[0], source)


def _check_values(findings: Findings, loaded: LoadedNetwork, recipe: Recipe, source: Source) -> None:
    try:
        findings.add(value_contradictions(loaded, recipe, read_band_tags(source)))
    except PipelineError as error:  # a window that cannot be read, or a transform that fails on it
        findings.add([str(error)])
        return
    findings.checked.append("values after model.input")
