"""What is typed beside a model and a scene, as values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ConfigError

ARGUMENTS = ("--args", "arguments", '{"width": 7, "classes": 3}', "width=7")
"""Option, what it holds, and two ways to write that."""
SOURCE_KEYS = ("--source", "keys of the section source", "{level: 1}", "level=1")
"""Likewise."""


def parse_arguments(texts: list[str] | None, option: tuple[str, str, str, str] = ARGUMENTS) -> dict[str, Any] | None:
    """Arguments of a factory, or keys of a section: JSON or YAML between braces, or NAME=VALUE.

    Several are taken together; ``option`` is for messages.

    Raises
    ------
    ConfigError
        One of them is neither.
    """
    if texts is None:
        return None
    values: dict[str, Any] = {}
    for text in texts:
        try:
            values |= _mapping(text) if text.lstrip().startswith("{") else dict(_pairs(text))
        except ValueError as error:
            name, contents, mapping, pair = option
            raise ConfigError(
                f"{name} is {text}, which says no {contents}. Give them as '{mapping}', or as {pair}; the option may "
                f"be repeated."
            ) from error
    return values


def parse_bands(texts: list[str] | None) -> list[int | str] | None:
    """Bands from ``4,3,2``, ``[red, nir]`` or several of them: numbers from 1, or names.

    Raises
    ------
    ConfigError
        There is none, or a number is 0.
    """
    if texts is None:
        return None
    tokens = [
        token for text in texts for token in text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
    ]
    if not tokens or any(token.isdecimal() and not int(token) for token in tokens):
        raise ConfigError(
            f"--bands is {' '.join(texts)}, which names no bands. Give them in the network's order: counted from 1, as "
            f"4,3,2, or of a scene whose bands have names by these, as red,green,nir."
        )
    return [int(token) if token.isdecimal() else token for token in tokens]


def parse_inputs(texts: list[str] | None) -> dict[str, str] | None:
    """Paths of scenes by the names of inputs, from ``NAME=PATH``.

    Raises
    ------
    ConfigError
        One of them has no name or no path, or a name comes twice.
    """
    if texts is None:
        return None
    inputs: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name.strip() or not path or name.strip() in inputs:
            raise ConfigError(
                f"--input is {text}, which is no NAME=PATH with a name of its own. Give one for each input of the "
                f"network, such as --input before=2019.tif --input after=2024.tif."
            )
        inputs[name.strip()] = path
    return inputs


def _mapping(text: str) -> dict[str, Any]:
    mapping = _value(text)
    if not isinstance(mapping, dict):
        raise ValueError(text)
    return {str(name): value for name, value in mapping.items()}


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    parts = text.split(",")
    for part in parts if all("=" in part for part in parts) else [text]:
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(text)
        yield name.strip(), _value(value)


def _value(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(text) from error
