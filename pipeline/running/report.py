"""What a run says at its end, to a person and to a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.privacy.concealed import safe_document
from pipeline.runtime.device_time import DeviceTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A block that is not in the store."""

    block: tuple[int, int]
    """(row, col) in the grid of blocks."""
    pixels: str
    """The window it owns, in words."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one run."""

    store: str
    blocks: int
    """Blocks that hold anything that is asked for."""
    resumed: int
    """Blocks that were committed before this run."""
    done: int
    """Blocks that this run committed."""
    empty: int
    """Of those, blocks without a valid pixel, which were not inferred."""
    failures: list[Failure] = field(default_factory=list)
    pixels: int = 0
    """Pixels that were asked for of the blocks this run committed."""
    invalid: dict[str, int] = field(default_factory=dict)
    """Of those, the invalid ones by what makes them so: nodata, never written, mask, alpha, NaN or infinity, beyond
    float32, quality."""
    clipped: list[int] = field(default_factory=list)
    """Of the valid ones, those of each channel of the layer values whose number lies beyond what is stored and was
    clipped; empty where none does."""
    whole: dict[str, Any] | None = None
    """``pixels``, ``invalid`` and, where there are any, ``clipped`` of all committed blocks that it speaks of, also of
    those before this run; None where their records are not looked at (object storage, or very many blocks of a store
    that was complete) or do not say (blocks of earlier releases)."""
    decoded: int = 0
    """Pixels of the file's own blocks that were decoded for them."""
    seconds: float = 0.0
    """Wall time of the blocks."""
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds that blocks spent in each stage, summed over those in flight."""
    device: DeviceTime | None = None
    """What the device did meanwhile, in shares; None where no block was run."""
    peak_memory: int = 0
    """Bytes."""
    projected_memory: int = 0
    """Bytes."""
    plan: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] | None = None
    """What `verify` found, of a store that was verified as it is now."""
    files: dict[str, str] = field(default_factory=dict)
    """Store, report, quicklook and sidecar, by name."""
    shard: str | None = None
    """Of a run of one shard, such as 3/16: everything else above speaks of its blocks alone."""
    made: str = ""
    """Id of the store that a shard was run on."""
    left: int | None = None
    """Blocks of the whole store that were not committed when the shard ended; others may have been at work on them."""

    @property
    def complete(self) -> bool:
        """Whether every block that it speaks of is in the store."""
        return not self.failures and self.resumed + self.done == self.blocks

    @property
    def speed(self) -> float:
        """Mpx/s of this run's blocks."""
        return self.pixels / self.seconds / 1e6 if self.seconds else 0.0

    @property
    def read_amplification(self) -> float:
        """Pixels decoded per pixel that was asked for."""
        return self.decoded / self.pixels if self.pixels else 0.0

    def text(self) -> str:
        """As JSON, without the secrets of URLs and without concealed names."""
        document = {
            **asdict(self),
            "complete": self.complete,
            "mpx_per_s": round(self.speed, 3),
            "read_amplification": round(self.read_amplification, 4),
        }
        return json.dumps(safe_document(document), indent=2, default=str) + "\n"
