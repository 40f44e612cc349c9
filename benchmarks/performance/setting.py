"""What is measured: one network over one raster, with the options of the benchmark."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from benchmarks.performance.watch import Limits, Watched, watch

Group = Literal["forward", "machine", "ours", "peer", "preparation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says, resolved."""

    rounds: int
    limits: Limits
    variants: tuple[str, ...]
    """Of our runs: exact, tolerance, bfloat16."""
    forwards: Literal["all", "best"]
    """Ceilings of the network: all of them, or what has always been fastest, in the precisions of our runs."""
    tolerance: float
    peers: tuple[str, ...]
    modes: tuple[str, ...]
    """Of MONAI: gaussian, constant."""
    peer_python: str
    sides: tuple[int, ...] = (512, 1024, 2048)
    """Tiles of the network's ceiling, px."""
    seconds: float = 3.0
    """For which each side is repeated, at least."""
    narrower: int = 1
    """By what the widths of the networks are divided."""
    tile: int | Literal["auto"] = "auto"
    """``tile.size`` of our runs."""
    window: int = 512
    """MONAI's window, px."""
    chunk: int = 1024
    """Dask's chunk, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to go, and how it is started."""

    name: str
    group: Group
    command: list[str]
    answer: Path
    precision: str = "float32"
    environment: Mapping[str, str] = field(default_factory=dict)
    mask: Path | None = None
    """Where it leaves its labels."""
    missing: str = ""
    """Why it cannot be gone."""

    def go(self, limits: Limits) -> Watched:
        """Run it, and say what became of it."""
        if self.missing:
            return Watched(status=self.missing, wall=0.0, peak=0, others=0.0)
        return watch(self.command, self.answer, self.environment, limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A network, a raster, a folder for what comes of them, and what our own plan says of both."""

    name: str
    network: Path
    raster: Path
    folder: Path
    options: Options
    facts: dict[str, Any] = field(default_factory=dict)
    """``plan --json`` of the exact run."""

    @property
    def multiple(self) -> int:
        """The network's stride, px."""
        return int(self.facts["network"]["stride"])

    @property
    def radius(self) -> int | None:
        """px; None where it is unbounded."""
        said = self.facts["network"]["radius"]
        return said if isinstance(said, int) else None

    def child(
        self,
        name: str,
        group: Group,
        module: str,
        *,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        precision: str = "float32",
        mask: str | None = None,
        missing: str = "",
        **orders: Any,
    ) -> Way:
        """A module of ours as a process of its own, with its orders in a file."""
        stem = self.folder / "".join(c if c.isalnum() else "-" for c in name)
        answer, out = stem.with_suffix(".answer.json"), self.folder / mask if mask else None
        said = {
            "network": str(self.network),
            "raster": str(self.raster),
            "answer": str(answer),
            "precision": precision,
            "mask": str(out),
            **orders,
        }
        stem.with_suffix(".orders.json").write_text(json.dumps(said))
        command = [python, "-m", f"benchmarks.performance.{module}", str(stem.with_suffix(".orders.json"))]
        return Way(
            name=name,
            group=group,
            command=command,
            answer=answer,
            precision=precision,
            environment=environment or {},
            mask=out,
            missing=missing,
        )

    def config(self, name: str, tile: dict[str, Any], execution: dict[str, Any]) -> Path:
        """The config of a run of ours, as a user would write it; its store is beside it."""
        document = {
            "source": {"path": str(self.raster), "nodata": None},
            "model": {"kind": "torchscript", "path": str(self.network)},
            "tile": {"size": self.options.tile, **tile},
            "output": {"path": str(self.folder / f"{name}.zarr")},
            "execution": {"device": "cpu", **execution},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path
