"""``model.inputs``: a source for each input of a network of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, model_validator

from pipeline.config.source import SourceConfig
from pipeline.config.values import ConfigSection, PerBand

LIMITING_KEYS = ("aoi", "only", "tissue")
"""Keys of a source that limit the raster, and so hold for all inputs."""
OF_ONE_INPUT = ("transform", "normalise")
"""Keys of ``model.input`` that no input of several has."""


class InputBands(NamedTuple):
    """An input of a network, and how many bands of the combined image go into it."""

    name: str
    bands: int


class InputNumbersConfig(ConfigSection):
    """Normalisation of one input: (raw·scale + offset − mean) / std, each a number or one per band."""

    scale: PerBand = 1.0
    offset: PerBand = 0.0
    mean: PerBand = 0.0
    std: PerBand = 1.0

    @model_validator(mode="before")
    @classmethod
    def _numbers_alone(cls, values: Any) -> Any:
        given = values if isinstance(values, Mapping) else {}
        if keys := [key for key in OF_ONE_INPUT if given.get(key) is not None]:
            raise ValueError(
                f"{' and '.join(keys)} is not applied to one of several inputs; give scale, offset, mean and std, and "
                f"let the network do the rest"
            )
        if "size" in given:
            raise ValueError("size holds for all inputs of the network; write it as model.input.size")
        return {key: value for key, value in given.items() if key not in OF_ONE_INPUT} if given else values


class NetworkInputConfig(SourceConfig):
    """The source of one input of the network, and its normalisation."""

    input: InputNumbersConfig | None = Field(None, description="scale, offset, mean and std of this input's bands")

    @property
    def source(self) -> SourceConfig:
        """The section without what only an input has."""
        values = {name: getattr(self, name) for name in SourceConfig.model_fields}
        given = self.model_fields_set & values.keys()
        return SourceConfig.model_construct(_fields_set=set(given), **values)


def source_of_first_input(document: Any) -> SourceConfig | None:
    """The section ``source`` of a config that names inputs and no source: that of its first input.

    Parameters
    ----------
    document
        What a config is made of: plain values, or sections.

    Returns
    -------
    SourceConfig or None
        None where the config has a source, or no inputs. A section without values where the first input cannot be
        used, which its own check tells.
    """
    if not isinstance(document, Mapping) or document.get("source") is not None:
        return None
    model = document.get("model")
    inputs = model.get("inputs") if isinstance(model, Mapping) else getattr(model, "inputs", None)
    if not isinstance(inputs, Mapping) or not inputs:
        return None
    try:
        return NetworkInputConfig.model_validate(next(iter(inputs.values()))).source
    except ValidationError:
        return SourceConfig.model_construct(kind="raster", path="")


def area_contradictions(source: SourceConfig, inputs: Mapping[str, NetworkInputConfig]) -> Iterator[str]:
    """A sentence for each input that limits the raster otherwise than ``source`` does."""
    for name, entry in inputs.items():
        for key in LIMITING_KEYS:
            value = getattr(entry, key)
            if value is not None and value != getattr(source, key):
                yield f"model.inputs.{name}.{key} would limit one input alone; write {key} in source, for all of them"
