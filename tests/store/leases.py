"""Stores to hold, and holders that cannot be looked at from here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.geometry.shards import Shard
from pipeline.store.lease.claim_files import Claim, Claims
from pipeline.store.lease.process_identity import this_process
from pipeline.store.lifecycle import create
from tests.store import specs


def store(folder: Path, made: str = "one") -> Path:
    path = folder / "a.zarr"
    create(path, specs.spec(), {"blocks": [1, 1], "id": made})
    return path


def elsewhere(path: Path, shard: Shard | None = None, patience: float = 0.3, **changes: Any) -> tuple[Claims, Claim]:
    """A claim of a process of another machine, whose clock is years ahead."""
    claims = Claims.on(path, patience)
    said = {"host": "node7", "boot": "another", "since": "2099-01-01 00:00:00 UTC", "pid": 7, **changes}
    claim = claims.try_create(shard, claims.conflicting(shard), replace(this_process("a run", patience), **said))
    assert claim is not None
    return claims, claim


def keys(path: Path) -> list[str]:
    folder = path / "0" / "mask" / "lease"
    return sorted(file.name for file in folder.rglob("*") if file.is_file())
