"""Configs that were suggested, loaded as a job loads them."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.planning.first_config.suggestion import Suggestion, suggest
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job


def written(folder: Path, model: str, scene: str = "scene.tif") -> tuple[Suggestion, Config]:
    made = suggest(folder / model, str(folder / scene), folder)
    (folder / "first.yaml").write_text(made.text)
    return made, load_config(folder / "first.yaml")


def planned(config: Config) -> Job:
    return prepare_job(config)
