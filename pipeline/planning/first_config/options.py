"""What is typed beside a model and a scene, as values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ConfigError


def parse_arguments(texts: list[str] | None) -> dict[str, Any] | None:
    """Arguments of a factory: JSON or YAML between braces, or NAME=VALUE; several are taken together.

    Raises
    ------
    ConfigError
        One of them is neither.
    """
    if texts is None:
        return None
    values: dict[str, Any] = {}
    for text in texts:
        values |= _mapping(text) if text.lstrip().startswith("{") else dict(_pairs(text))
    return values


def parse_band_numbers(texts: list[str] | None) -> list[int] | None:
    """Numbers of bands from ``4,3,2``, ``[4, 3, 2]`` or several of them.

    Raises
    ------
    ConfigError
        One is no number, or below 1.
    """
    if texts is None:
        return None
    tokens = [
        token for text in texts for token in text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
    ]
    if not tokens or not all(token.isdecimal() and int(token) for token in tokens):
        raise ConfigError(
            f"--bands is {' '.join(texts)}, which are no numbers of bands. Give them in the network's "
            f"order, counted from 1, as 4,3,2."
        )
    return [int(token) for token in tokens]


def _mapping(text: str) -> dict[str, Any]:
    mapping = _value(text)
    if not isinstance(mapping, dict):
        raise ConfigError(_neither(text))
    return {str(name): value for name, value in mapping.items()}


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    parts = text.split(",")
    for part in parts if all("=" in part for part in parts) else [text]:
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(_neither(text))
        yield name.strip(), _value(value)


def _value(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ConfigError(_neither(text)) from error


def _neither(text: str) -> str:
    return (
        f'--args is {text}, which says no arguments. Give them as \'{{"width": 7, "classes": 3}}\', or '
        f"as width=7; the option may be repeated."
    )
