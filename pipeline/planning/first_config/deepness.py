"""Deepness, a plugin of QGIS, keeps its parameters in an ONNX file's metadata (https://qgis-plugin-deepness.readthedocs.io)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.models.onnx_runtime.file import Shape, channels_last, read
from pipeline.planning.first_config.facts import EIGHT_BITS, Facts, moments, named, size

TODO = "onnxruntime, which runs ONNX and is not installed here: pip install 'wholecloth[onnx]'"
SEGMENTOR = "segmentor"


def facts(path: Path) -> Facts:
    """An ONNX file: its shapes, and what its metadata say.

    Raises
    ------
    ModelError
        It is no ONNX file.
    """
    file, runs = read(path), find_spec("onnxruntime") is not None
    said = {key: _plain(value) for key, value in file.metadata.items()}
    threshold = said.get("seg_thresh")
    return Facts(
        what="an ONNX network",
        model={"kind": "onnx"},
        runs=runs,
        bands=_channels(value.shape for value in file.inputs),
        channels=_channels(value.shape for value in file.outputs),
        classes=named(said.get("class_names") or said.get("names")),
        input={"scale": EIGHT_BITS, **moments(said, "standardization_"), **size(said.get("tile_size"), said.get("tiles_size"))} if said else {},
        output={"threshold": threshold} if isinstance(threshold, int | float) and 0 <= threshold <= 1 else {},
        origin="its metadata",
        notes=_notes(said),
        todo=() if runs else (TODO,),
    )


def _notes(said: dict[str, Any]) -> tuple[str, ...]:
    found, kind = [], str(said.get("model_type", SEGMENTOR))
    if "resolution" in said:
        found.append(f"it was trained at {said['resolution']} cm per px")
    if kind.lower() != SEGMENTOR:
        found.append(f"its metadata call it a {kind}, which gives no map of classes")
    return tuple(found)


def _channels(shapes: Iterable[Shape]) -> int | None:
    """Of the first image among them; one with its bands last is left to the loader, which says what to do."""
    return next((None if channels_last(shape) else shape[1] for shape in shapes if len(shape) == 4), None)


def _plain(text: str) -> Any:
    """JSON, or a Python literal as some exporters write; text where it is neither."""
    for read_text in (json.loads, ast.literal_eval):
        try:
            return read_text(text)
        except (ValueError, SyntaxError, RecursionError):
            continue
    return text
