"""Before anything is measured: the networks, what our plan says of them, and the labels of one forward pass."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.performance.setting import Options, Setting, Way


def prepared(name: str, given: Path | None, raster: Path, folder: Path, options: Options) -> Setting:
    """The setting of one network over a raster.

    Parameters
    ----------
    name
        Of one of our networks, which is made, or any where one is given.
    given
        TorchScript file of a network, or None.
    raster
        Whose pixels it is for.
    folder
        For everything that comes of it; made if it is not there.
    options
        Of the benchmark.

    Raises
    ------
    SystemExit
        A part of the preparation failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(name=name, network=given or folder / "network.pt", raster=raster, folder=folder, options=options)
    if given is None:
        needed(setting, setting.child("network", "preparation", "networks", kind=name, narrower=options.narrower))
    config = setting.config("plan", {}, {"precision": "float32"})
    return replace(setting, facts=needed(setting, setting.child("plan", "preparation", "planned", config=str(config))))


def described(setting: Setting, shape: tuple[int, int]) -> dict[str, Any]:
    """What the document says of a network, labels of one forward pass over a raster of (rows, cols) included."""
    said = {key: setting.facts["network"][key] for key in ("stride", "radius", "verdict")}
    return {"pixels": shape[0] * shape[1], **said, "reference": referenced(setting, shape)}


def referenced(setting: Setting, shape: tuple[int, int]) -> dict[str, Any]:
    """Labels of one forward pass, and of which part; a fifth of the memory is left to what the probes do not show."""
    orders: dict[str, Any] = {name: str(setting.folder / f"{name}.npy") for name in ("labels", "ties")}
    orders |= {
        "multiple": setting.multiple,
        "radius": setting.radius,
        "shape": shape,
        "memory": int(setting.options.limits.memory * 0.8),
    }
    return needed(setting, setting.child("reference", "preparation", "reference", **orders))


def needed(setting: Setting, way: Way) -> dict[str, Any]:
    """The answer of a preparation, without which nothing can be measured; it may take its time."""
    print(f"{setting.name}: {way.name}", file=sys.stderr, flush=True)
    found = way.go(replace(setting.options.limits, seconds=math.inf))
    if found.status != "ok":
        sys.exit(f"{setting.name}: {way.name} {found.status}; see {way.answer.with_suffix('.log')}")
    return found.answer
