"""Values of one key that are tried on the same pixels with the same network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ConfigError

SWEPT_KEYS = (
    "model.input.scale",
    "model.input.offset",
    "model.input.mean",
    "model.input.std",
    "model.output.activation",
    "model.output.threshold",
    "model.output.temperature",
    "output.min_confidence",
)
"""Keys that change neither the network nor the pixels that are read."""
MAX_VALUES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySweep:
    """A key and the values that are tried."""

    key: str
    """Whole, such as ``model.input.scale``."""
    values: tuple[Any, ...]

    def override(self, value: Any) -> str:
        """A value as ``--set`` takes it."""
        return f"{self.key}={json.dumps(value, ensure_ascii=False)}"

    def label(self, value: Any) -> str:
        """A value as a caption shows it."""
        return f"{self.key.removeprefix('model.')} {json.dumps(value, ensure_ascii=False)}"


def parse_sweep(text: str) -> KeySweep:
    """Read ``KEY=V,V,…``, with YAML values; a list of one number per band stands in brackets.

    Raises
    ------
    ConfigError
        The key is none of `SWEPT_KEYS`, or the values cannot be read or are too many.
    """
    name, equals, values_text = text.partition("=")
    short = name.strip()
    key = next((key for key in SWEPT_KEYS if short in (key, key.removeprefix("model."))), None)
    if key is None or not equals:
        raise ConfigError(
            f"--sweep is {text}, which names no key that can be swept. Give KEY=V,V,… with one of "
            f"{', '.join(SWEPT_KEYS)}, such as input.scale=1.0e-4,1."
        )
    try:
        values = YAML(typ="safe", pure=True).load(f"[{values_text}]")
    except YAMLError as error:
        raise ConfigError(
            f"--sweep is {text}, whose values are no YAML. Separate them by commas, as input.scale=1.0e-4,1; one "
            f"number per band stands in brackets."
        ) from error
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        raise ConfigError(f"--sweep is {text}. Give from 1 to {MAX_VALUES} values, separated by commas.")
    return KeySweep(key=key, values=tuple(values))
