"""What ``model`` says against what the model's file, or one beside it, states of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import PipelineError
from pipeline.interfaces import Source
from pipeline.models.hub import model_on_this_machine
from pipeline.planning.band_numbers import NORMALISATION_FIELDS
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.model_file import read_model_file
from pipeline.planning.pixel_size import pixel_size_warnings
from pipeline.sources.band_tags import BandTags


def model_file_contradictions(model: ModelConfig, source: Source, tags: BandTags) -> Iterator[str]:
    """A paragraph each; nothing where the file states nothing, or cannot be read, which its loading tells."""
    for member in model.members:
        yield from model_file_contradictions(member.model, source, tags)
    if model.path is None:
        return
    try:
        model = model_on_this_machine(model)
        assert model.path is not None, "a model with a path keeps one"
        facts = read_model_file(model.path)
    except PipelineError:  # loading the network says what is wrong
        return
    yield from _normalisation(model, facts)
    yield from _classes(model, facts)
    yield from pixel_size_warnings(facts, source)
    yield from _band_names(list(facts.band_names), tags)


def _normalisation(model: ModelConfig, facts: ModelFacts) -> Iterator[str]:
    if model.input is None:
        return
    for name in NORMALISATION_FIELDS:
        stated = facts.input.get(name)
        given = getattr(model.input, name)
        if name in model.input.model_fields_set and stated is not None and _spread(given) != _spread(stated):
            yield (
                f"model.input.{name} is {given}, but {model.path} states {stated} ({facts.origin}), with which the "
                f"network was trained. Leave the key out or write {stated}, unless the raster's numbers are others "
                f"than those of the training."
            )


def _spread(value: Any) -> Any:
    """One number for a list of equal ones, in the digits that a config is written with."""
    values = [float(f"{number:.8g}") for number in (value if isinstance(value, list) else [value])]
    return values[0] if len(set(values)) == 1 else values


def _classes(model: ModelConfig, facts: ModelFacts) -> Iterator[str]:
    """The same names in another order: a list of other names may be a translation."""
    given = [row.name for row in model.classes or ()]
    stated = [str(row["name"]) for row in facts.classes]
    if given != stated and sorted(given) == sorted(stated):
        yield (
            f"model.classes lists {', '.join(given)}, but {model.path} states the order {', '.join(stated)} "
            f"({facts.origin}). List them in that order; code gives each class the number that you want in the mask."
        )


def _band_names(trained: list[str], tags: BandTags) -> Iterator[str]:
    """Bands in another order than the training's, where both sides name them."""
    if not trained:
        return
    wanted, read, present = ([name.lower() for name in names] for names in (trained, tags.names, tags.all_names))
    if not all(wanted) or len(set(present)) < len(present) or not set(wanted) <= set(present) or read == wanted:
        return
    bands = [present.index(name) + 1 for name in wanted]
    yield (
        f"source.bands reads {', '.join(tags.names)}, but the network was trained on {', '.join(trained)}, in that "
        f"order. Set source.bands: {bands}."
    )
