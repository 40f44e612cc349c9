"""WSInfer keeps a ``config.json`` beside a TorchScript file (https://wsinfer.readthedocs.io)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.models.descriptions.foreign_entries import EIGHT_BITS, class_list, mean_and_std, training_size
from pipeline.models.weights.file_type import TORCHSCRIPT
from pipeline.planning.first_config.facts import ModelFacts


def facts(path: Path) -> ModelFacts:
    """A script, and what a file of WSInfer's beside it says."""
    config = _read_config(path)
    if not config:
        return ModelFacts(description=TORCHSCRIPT, model={"kind": "torchscript"})
    steps = {
        step.get("name"): step.get("arguments") or {}
        for step in config.get("transform") or []
        if isinstance(step, dict)
    }
    resized = steps.get("Resize", {}).get("size")
    scale = {"scale": EIGHT_BITS} if steps.keys() & {"ToTensor", "Normalize"} else {}
    return ModelFacts(
        description=TORCHSCRIPT,
        model={"kind": "torchscript"},
        classes=class_list(config.get("class_names")),
        input={
            **scale,
            **mean_and_std(steps.get("Normalize", {})),
            **training_size(resized, config.get("patch_size_pixels")),
        },
        pixel_size=_pixel_size(config.get("patch_size_pixels"), config.get("spacing_um_px"), resized),
        origin="config.json beside it",
        notes=_resolution(config.get("patch_size_pixels"), config.get("spacing_um_px"), resized),
    )


def _pixel_size(side: Any, spacing: Any, resized: Any) -> float | None:
    """Of what the network sees, m."""
    if not isinstance(spacing, int | float) or not isinstance(side, int):
        return None
    return spacing * side / (resized if isinstance(resized, int) else side) / 1e6


def _resolution(side: Any, spacing: Any, resized: Any) -> tuple[str, ...]:
    """What one of its pixels is: it saw windows after they were resized."""
    if not isinstance(spacing, int | float) or not isinstance(side, int):
        return ()
    if not isinstance(resized, int) or resized == side:
        return (f"it was trained at {spacing:g} µm per px",)
    return (
        f"it was trained on {side} px at {spacing:g} µm per px, resized to {resized} px: give it a scene of "
        f"{spacing * side / resized:.3g} µm per px",
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or another program's
        return {}
    return config if isinstance(config, dict) and {"class_names", "patch_size_pixels"} & config.keys() else {}
