"""A model config with what the description at its path states, where the config leaves it open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.config import ClassConfig, Config, InputConfig, ModelConfig, ModelOutputConfig
from pipeline.config.plain_reason import plain_reason
from pipeline.errors import ModelError
from pipeline.models.descriptions import read_description
from pipeline.models.descriptions.description import DescribedModel, Statement
from pipeline.planning.members import with_common_sections
from pipeline.planning.yaml_text import flow

BACKGROUND_CLASS = "background"
OVERRIDDEN = "the config gives"
SMALLEST_IN_METRES = 0.01
"""Pixel sizes below this are told in µm."""
Section = TypeVar("Section", InputConfig, ModelOutputConfig)


def with_description(model: ModelConfig) -> ModelConfig:
    """Fill in what the description states: kind, arguments, normalisation, size, activation, threshold, classes.

    A model whose path is no description, or that was filled in already, comes back as it is.

    Raises
    ------
    ModelError
        The description cannot be used, or asks for what is not done and the config does not override.
    """
    if model.members:
        return _with_described_members(model)
    if model.path is None or model.described:
        return model
    description = read_description(model.path)
    return model if description is None else _filled(model, description)


def described_config(config: Config) -> Config:
    """The same of a whole config; raises as `with_description`."""
    return config.model_copy(update={"model": with_description(config.model)})


def _with_described_members(model: ModelConfig) -> ModelConfig:
    """Networks of a list, each with its own description."""
    members = tuple(replace(member, model=with_description(member.model)) for member in model.members)
    sentences = [
        f"network {number}: {text}" for number, member in enumerate(members, 1) for text in member.model.described
    ]
    return with_common_sections(model, members).filled({}, tuple(sentences))


def _filled(model: ModelConfig, description: DescribedModel) -> ModelConfig:
    statement = description.state(model)
    values: dict[str, Any] = {"kind": statement.kind, "args": {**statement.args, **model.args}}
    values |= {"factory": model.factory or statement.factory, "arch": model.arch or statement.arch}
    values |= {"input": _merged(InputConfig, statement.input, model.input, description)}
    values |= {"output": _merged(ModelOutputConfig, statement.output, model.output, description)}
    values |= _names(model, statement, values["output"])
    sentences = map(_printable, _sentences(model, description, statement, values))
    return model.filled(values, tuple(sentences), statement.channels)


def _printable(text: str) -> str:
    """One line without control characters, which would colour a terminal and make the YAML of ``init`` unreadable."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _sentences(
    model: ModelConfig, description: DescribedModel, statement: Statement, values: dict[str, Any]
) -> Iterator[str]:
    """What was taken, as the plan prints it."""
    yield statement.title
    yield statement.weights
    input_origin = statement.input_origin or statement.origin
    if statement.factory is not None and model.factory is None:
        yield f"model.factory: {statement.factory}, as {statement.origin} has it"
    if statement.code is not None:
        yield f"CODE of the model's description is executed, as model.trust allows: {statement.code}"
    yield from _section_sentences("model.input", statement.input, input_origin, statement.of_each_sample)
    yield from _section_sentences("model.output", statement.output, statement.origin, False)
    if "channels" in values and model.output.map is not None:
        yield f"model.channels: {', '.join(values['channels'])}, as {statement.origin} names them"
    if "classes" in values:
        whose = "lists them" if statement.classes else "names its channels"
        yield f"model.classes: {', '.join(row.name for row in values['classes'])}, as {statement.origin} {whose}"
    yield from statement.hints
    if description.pixel_size is not None:
        yield f"pixels of {_length(description.pixel_size)} in its training"
    yield from _overridden(model)


def _merged(
    section: type[Section], stated: dict[str, Any], given: Section | None, description: DescribedModel
) -> Section | None:
    """Stated values beside given ones, checked together."""
    if not stated:
        return given
    values = {} if given is None else {name: getattr(given, name) for name in given.model_fields_set}
    try:
        return section.model_validate({**stated, **values})
    except ValidationError as error:
        reason = plain_reason(error.errors()[0]["msg"])
        part = "model.input" if section is InputConfig else "model.output"
        raise ModelError(
            f"{description.name} and the config together make a section {part} that cannot be: {reason}. Give "
            f"{part} in the config."
        ) from error


def _names(model: ModelConfig, statement: Statement, output: ModelOutputConfig) -> dict[str, Any]:
    """Classes, and names of the channels, where they have names and the config gives none."""
    names = statement.channel_names
    if statement.channels is not None and len(names) != statement.channels:
        names = ()
    if output.map is not None:  # classes of the store are sums, and those of the description are what is added up
        names = names or tuple(row.name for row in statement.classes)
    channels = {"channels": list(names)} if names and model.channels is None else {}
    if model.classes is not None or output.map is not None:
        return channels
    if statement.classes:
        return {**channels, "classes": _with_background(statement.classes, output.multilabel and len(names) > 1)}
    several = isinstance(output.threshold, list) and len(names) == 1 and len(output.threshold) > 1
    if not names or several:
        return channels
    return {**channels, "classes": _classes(names, output.multilabel and len(names) > 1)}


def _with_background(rows: tuple[ClassConfig, ...], multilabel: bool) -> list[ClassConfig]:
    """Listed classes, with a background of a free code where a pixel may be of none of them."""
    if not multilabel or any(row.role == "background" for row in rows):
        return list(rows)
    codes = [row.code for row in rows if row.code is not None]
    code = None if not codes else 0 if 0 not in codes else max(codes) + 1
    return [*rows, ClassConfig(name=BACKGROUND_CLASS, code=code, role="background")]


def _classes(names: tuple[str, ...], multilabel: bool) -> list[ClassConfig]:
    """Of the channels, with a background where a pixel may be of none of them."""
    background = ClassConfig(name=BACKGROUND_CLASS, role="background")
    if len(names) == 1:
        return [background, ClassConfig(name=names[0])]
    listed = [ClassConfig(name=name, role="background" if _is_background(name) else None) for name in names]
    return [*listed, *([background] if multilabel and not any(map(_is_background, names)) else [])]


def _is_background(name: str) -> bool:
    return name.lower() == BACKGROUND_CLASS


def _section_sentences(section: str, stated: dict[str, Any], origin: str, of_each_sample: bool) -> Iterator[str]:
    for name, value in stated.items():
        sample = name == "normalise" and of_each_sample
        remark = "; it is of each sample there, and the raster is the sample here, as a whole" if sample else ""
        yield f"{section}.{name}: {flow(value)}, as {origin} has it{remark}"


def _length(size: float) -> str:
    return f"{size:.3g} m" if size >= SMALLEST_IN_METRES else f"{size * 1e6:.3g} µm"


def _overridden(model: ModelConfig) -> Iterator[str]:
    """What the config gives itself."""
    sections = {"model.input": model.input, "model.output": model.output}
    keys = [
        f"{name}.{key}"
        for name, section in sections.items()
        if section is not None
        for key in sorted(section.model_fields_set)
    ]
    keys += [
        f"model.{key}" for key in ("kind", "factory", "arch", "classes", "channels") if getattr(model, key) is not None
    ]
    if keys:
        yield f"{OVERRIDDEN} {', '.join(keys)}, whatever the description states"
