"""The config of a job: checked values, whatever file they came from."""

from __future__ import annotations

from pipeline.config.job import ExecutionConfig, OutputConfig, TileConfig
from pipeline.config.model import ClassConfig, InputConfig, ModelConfig, ReturnConfig
from pipeline.config.pixels import LabelsConfig, SourceConfig
from pipeline.config.section import Section, parse_bytes

__all__ = [
    "ClassConfig", "Config", "ExecutionConfig", "InputConfig", "LabelsConfig", "ModelConfig", "OutputConfig", "ReturnConfig", "Section", "SourceConfig",
    "TileConfig", "parse_bytes",
]  # fmt: skip


class Config(Section):
    """The whole config of one job."""

    source: SourceConfig
    model: ModelConfig
    tile: TileConfig = TileConfig()
    output: OutputConfig
    execution: ExecutionConfig = ExecutionConfig()
