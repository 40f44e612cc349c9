"""Deepness, a plugin of QGIS, keeps its parameters in an ONNX file's metadata (https://qgis-plugin-deepness.readthedocs.io)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ExtraError
from pipeline.models.onnx_runtime.file import OnnxFile, Shape, channels_last, read_onnx
from pipeline.planning.first_config.facts import EIGHT_BITS, ModelFacts, class_list, mean_and_std, training_size

TODO = "onnxruntime, which runs ONNX and is not installed here: pip install 'wholecloth[onnx]'"
SEGMENTOR = "segmentor"


def facts(path: Path) -> ModelFacts:
    """An ONNX file: its shapes, and what its metadata say; its kind alone where the library that reads it is missing.

    Raises
    ------
    ModelError
        It is no ONNX file.
    """
    try:
        return _facts(read_onnx(path))
    except ExtraError as error:
        todo = f"what reads and runs ONNX: {str(error).removesuffix('.')}"
        return ModelFacts(description="an ONNX network", model={"kind": "onnx"}, runs=False, todo=(todo,))


def _facts(file: OnnxFile) -> ModelFacts:
    runs = find_spec("onnxruntime") is not None
    metadata = {key: _parse_value(value) for key, value in file.metadata.items()}
    threshold = metadata.get("seg_thresh")
    return ModelFacts(
        description="an ONNX network",
        model={"kind": "onnx"},
        runs=runs,
        bands=_channels(value.shape for value in file.inputs),
        channels=_channels(value.shape for value in file.outputs),
        classes=class_list(metadata.get("class_names") or metadata.get("names")),
        input={
            "scale": EIGHT_BITS,
            **mean_and_std(metadata, "standardization_"),
            **training_size(metadata.get("tile_size"), metadata.get("tiles_size")),
        }
        if metadata
        else {},
        output={"threshold": threshold} if isinstance(threshold, int | float) and 0 <= threshold <= 1 else {},
        pixel_size=_centimetres(metadata.get("resolution")),
        origin="its metadata",
        notes=_notes(metadata),
        todo=() if runs else (TODO,),
    )


def _centimetres(resolution: Any) -> float | None:
    return resolution / 100 if isinstance(resolution, int | float) and resolution > 0 else None


def _notes(metadata: dict[str, Any]) -> tuple[str, ...]:
    notes, kind = [], str(metadata.get("model_type", SEGMENTOR))
    if "resolution" in metadata:
        notes.append(f"it was trained at {metadata['resolution']} cm per px")
    if kind.lower() != SEGMENTOR:
        notes.append(f"its metadata call it a {kind}, which gives no map of classes")
    return tuple(notes)


def _channels(shapes: Iterable[Shape]) -> int | None:
    """Of the first image among them; one with its bands last is left to the loader, which says what to do."""
    return next((None if channels_last(shape) else shape[1] for shape in shapes if len(shape) == 4), None)


def _parse_value(text: str) -> Any:
    """JSON, or a Python literal as some exporters write; text where it is neither."""
    for read_text in (json.loads, ast.literal_eval):
        try:
            return read_text(text)
        except (ValueError, SyntaxError, RecursionError):
            continue
    return text
