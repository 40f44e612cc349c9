"""An ONNX file that is no description: its shapes, and names of classes among its metadata."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ExtraError
from pipeline.models.descriptions.foreign_entries import class_list, parse_entry
from pipeline.models.onnx_runtime.file import image_channels, read_onnx
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.missing_library import missing_library

NAME_KEYS = ("class_names", "names")
"""Entries in which trainers leave the names of classes."""


def facts(path: Path) -> ModelFacts:
    """What the file says; its kind alone where the library that reads it is missing.

    Raises
    ------
    ModelError
        It is no ONNX file.
    """
    try:
        file = read_onnx(path)
    except ExtraError as error:
        todo = f"what reads and runs ONNX: {str(error).removesuffix('.')}"
        return ModelFacts(description="an ONNX network", model={"kind": "onnx"}, runs=False, todo=(todo,))
    missing = missing_library("onnx")
    names = next((file.metadata[key] for key in NAME_KEYS if key in file.metadata), "")
    return ModelFacts(
        description="an ONNX network",
        model={"kind": "onnx"},
        runs=missing is None,
        bands=image_channels(file.inputs),
        channels=image_channels(file.outputs),
        classes=class_list(parse_entry(names)),
        origin="its metadata",
        todo=() if missing is None else (missing,),
    )
