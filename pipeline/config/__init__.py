"""The config of a job: sections with checked values, from YAML or from Python."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.areas import AreaConfig, OnlyConfig
from pipeline.config.cluster import AddressConfig, SlurmConfig, TlsConfig
from pipeline.config.execution import ExecutionConfig, OutputConfig, TileConfig, ToleranceConfig
from pipeline.config.frozen import FrozenPlanConfig
from pipeline.config.grids import GridConfig
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
    "InputConfig",
    "LabelsConfig",
    "LossConfig",
    "ModelConfig",
    "ModelOutputConfig",
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


class Config(ConfigSection):
    """The whole config of one job."""

    source: SourceConfig
    model: ModelConfig
    tile: TileConfig = TileConfig()
    output: OutputConfig
    execution: ExecutionConfig = ExecutionConfig()
    training: TrainingConfig | None = Field(None, description="read by train alone")
    locked: FrozenPlanConfig | None = Field(None, description="a plan that `plan --freeze` made: taken up as it is")

    @model_validator(mode="after")
    def _several_networks(self) -> Config:
        if "variance" in self.output.layers and not self.model.members:
            raise ValueError(
                "output.layers has variance, which is how far several networks are apart, and model.path names one. "
                "List the files of an ensemble in model.path, or leave variance out"
            )
        return self
