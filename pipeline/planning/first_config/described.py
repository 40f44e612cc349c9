"""A model description, which a job reads itself."""

from __future__ import annotations

from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import STATED_ORIGIN, DescribedModel
from pipeline.models.descriptions.overrides import LINEAR
from pipeline.planning.described import OVERRIDDEN, with_description
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.missing_library import missing_library

PLACEHOLDER = "network.py:build"
FACTORY_TODO = (
    "model.factory, which builds the network and is executed: {code}; name it by --factory if you trust it, or leave "
    "model.factory out and set model.trust: true"
)


def facts(description: DescribedModel, factory: str | None) -> ModelFacts:
    """What a description states; nothing of it has to be in a config, but for the code of a network that needs it.

    Raises
    ------
    ModelError
        It has no weights that are run, asks for what is not done, or needs no factory.
    """
    if factory is not None and not description.takes_factory:
        raise ModelError(
            f"--factory is {factory}, but {description.name} has no weights for a network that code builds. Leave it "
            f"out."
        )
    code = description.code_of_network()
    builder = factory or (PLACEHOLDER if code else None)
    model: dict[str, Any] = {} if builder is None else {"kind": "python", "factory": builder}
    given = ModelConfig(path=description.path, **model)
    statement, filled = description.state(given), with_description(given)
    return ModelFacts(
        description=f"a model that is described as those of {description.format} are",
        model={"kind": filled.kind, **model, **_building(filled)},
        runs=(factory is not None or code is None) and missing_library(filled.kind) is None,
        is_native=True,
        bands=description.bands,
        band_names=description.band_names,
        channels=statement.channels,
        classes=[row.model_dump(exclude_unset=True) for row in filled.classes or ()],
        input=_stated_input(filled),
        pixel_size=description.pixel_size,
        origin="its description" if statement.origin == STATED_ORIGIN else statement.origin,
        notes=tuple(sentence for sentence in filled.described if not sentence.startswith(OVERRIDDEN)),
        todo=_todo(code if factory is None else None, filled),
    )


def _todo(code: str | None, filled: ModelConfig) -> tuple[str, ...]:
    """What has to be named or installed before the network runs."""
    if code is not None:
        return (FACTORY_TODO.format(code=code),)
    missing = missing_library(filled.kind)
    return () if missing is None else (missing,)


def _building(filled: ModelConfig) -> dict[str, Any]:
    """What builds a library's network."""
    keys = {"arch": filled.arch, "args": filled.args}
    return {key: value for key, value in keys.items() if value}


def _stated_input(filled: ModelConfig) -> dict[str, Any]:
    """Keys of ``model.input``; a description without steps states that pixels are taken as they are."""
    section = {} if filled.input is None else filled.input.model_dump(exclude_unset=True)
    return section if section.keys() & {*LINEAR, "normalise"} else {"scale": 1.0, **section}
