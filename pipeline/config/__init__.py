"""The config of a job: sections with checked values, from YAML or from Python."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from pipeline.config.areas import AreaConfig, OnlyConfig
from pipeline.config.cluster import AddressConfig, SlurmConfig, TlsConfig
from pipeline.config.execution import ExecutionConfig, OutputConfig, TileConfig, ToleranceConfig
from pipeline.config.frozen import FrozenPlanConfig
from pipeline.config.grids import GridConfig
from pipeline.config.inputs import (
    InputBands,
    InputNumbersConfig,
    NetworkInputConfig,
    area_contradictions,
    source_of_first_input,
)
from pipeline.config.labels import LabelsConfig
from pipeline.config.model import ModelConfig
from pipeline.config.model_sections import ClassConfig, InputConfig, ModelOutputConfig
from pipeline.config.normalise import NormaliseConfig
from pipeline.config.source import SourceConfig
from pipeline.config.tissue import TissueConfig
from pipeline.config.training import (
    AugmentConfig,
    LossConfig,
    OptimiserConfig,
    SceneConfig,
    TrainingConfig,
    ValidationConfig,
)
from pipeline.config.values import ConfigSection, parse_bytes, parse_seconds

__all__ = [
    "AddressConfig",
    "AreaConfig",
    "AugmentConfig",
    "ClassConfig",
    "Config",
    "ConfigSection",
    "ExecutionConfig",
    "FrozenPlanConfig",
    "GridConfig",
    "InputBands",
    "InputConfig",
    "InputNumbersConfig",
    "LabelsConfig",
    "LossConfig",
    "ModelConfig",
    "ModelOutputConfig",
    "NetworkInputConfig",
    "NormaliseConfig",
    "OnlyConfig",
    "OptimiserConfig",
    "OutputConfig",
    "SceneConfig",
    "SlurmConfig",
    "SourceConfig",
    "TileConfig",
    "TissueConfig",
    "TlsConfig",
    "ToleranceConfig",
    "TrainingConfig",
    "ValidationConfig",
    "parse_bytes",
    "parse_seconds",
]


def _source_may_lack(schema: dict[str, Any]) -> None:
    """Let the JSON schema do without a source, as a config with ``model.inputs`` does."""
    schema["required"].remove("source")


class Config(ConfigSection):
    """The whole config of one job."""

    model_config = ConfigDict(json_schema_extra=_source_may_lack)

    source: SourceConfig
    model: ModelConfig
    tile: TileConfig = TileConfig()
    output: OutputConfig
    execution: ExecutionConfig = ExecutionConfig()
    training: TrainingConfig | None = Field(None, description="read by train alone")
    locked: FrozenPlanConfig | None = Field(None, description="a plan that `plan --freeze` made: taken up as it is")

    @model_validator(mode="wrap")
    @classmethod
    def _with_source_of_inputs(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Take the source of the first input where ``model.inputs`` is given and ``source`` is not."""
        first = source_of_first_input(values)
        config = validate(values if first is None else {**values, "source": first})
        if first is not None:  # a config that is written again names its inputs, and no source either
            config.model_fields_set.discard("source")
        return config

    @model_validator(mode="after")
    def _one_area(self) -> Self:
        for reason in area_contradictions(self.source, self.model.inputs):
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _one_network_of_several_inputs(self) -> Self:
        if self.model.inputs and self.model.members:
            raise ValueError(
                "model.inputs names inputs of one network, and model.path lists several networks. Name one file in "
                "model.path, or leave model.inputs out"
            )
        return self

    @model_validator(mode="after")
    def _several_networks(self) -> Config:
        if "variance" in self.output.layers and not self.model.members:
            raise ValueError(
                "output.layers has variance, which is how far several networks are apart, and model.path names one. "
                "List the files of an ensemble in model.path, or leave variance out"
            )
        return self
