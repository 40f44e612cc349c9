"""Jobs that are run here or by the public command, and what their stores hold."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.config.load import load_config
from pipeline.geometry.shards import Shard
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from tests.commands import Command


def go(path: Path, *overrides: str, fresh: bool = False, shard: Shard | None = None) -> Report:
    """One run in this process."""
    job = prepare_job(load_config(path, list(overrides)), fresh)
    with Progress() as progress:
        return execute(job, progress, fresh, shard=shard)


def start(*args: object, **environ: str) -> Command:
    """The public command in a process of its own."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return Command(
        [sys.executable, "-m", "pipeline", *map(str, args)], env={**os.environ, **environ}, text=True, **streams
    )


def wait(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def arrays(store: Path) -> dict[str, str]:
    """Digest of every chunk of every level, by path; and of every commit record."""
    files = [
        path for path in sorted(store.rglob("*")) if path.is_file() and ("c" in path.parts or "ledger" in path.parts)
    ]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def everything(store: Path) -> dict[str, bytes]:
    """Every file of a store, and the VRT and picture beside it."""
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(store.parent)): path.read_bytes()
        for path in [*files, store.with_suffix(".vrt"), store.with_suffix(".png")]
        if path.exists()
    }


def shards(count: int) -> list[Shard]:
    return [Shard(index=index, count=count) for index in range(1, count + 1)]


CONFIG: dict[str, Any] = {"output": {"layers": ["mask", "confidence"]}}
"""More than one layer."""
