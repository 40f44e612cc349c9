"""A checkout of the project, and jobs that its public command runs in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import yaml

from benchmarks.same_bytes.checksums import Checksums, checksums
from benchmarks.same_bytes.jobs import Job

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600


class CommandFailed(Exception):
    """A command of a job ended with another exit code than 0."""


@contextmanager
def checkout(place: str) -> Iterator[Path]:
    """The folder itself, or a git worktree of the revision, removed at the end."""
    if Path(place).is_dir():
        yield Path(place).resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), place)
        try:
            yield tree.resolve()
        finally:
            git("worktree", "remove", "--force", str(tree))


def git(*words: str) -> str:
    """A command of git in this checkout."""
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607


def results(tree: Path, job: Job, folder: Path, kept: Path) -> Checksums:
    """Run a job with a tree, and move the store, and what lies beside it, below ``kept``.

    Raises
    ------
    CommandFailed
        A command of the job failed.
    """
    out, target = folder / "out", kept / job.kind
    out.mkdir(parents=True)
    config = folder / f"{job.kind}.yaml"
    config.write_text(yaml.safe_dump(job.config))
    with storage(folder) if job.is_remote else nullcontext() as server:
        environment = environment_of(tree, kept, server.environment() if server else {})
        for arguments in job.commands(config):
            call(tree, arguments, environment)
        if server:
            download(server, out)
    shutil.move(out, target)
    return checksums(target)


def environment_of(tree: Path, kept: Path, more: dict[str, str]) -> dict[str, str]:
    """Variables of a process that imports the package from the tree alone.

    What the process measures and compiles is kept below ``kept``.
    """
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "WHOLECLOTH_", "SLURM_", "AWS_"))
    }
    own = {
        "PYTHONPATH": str(tree),
        "PYTHONPYCACHEPREFIX": str(kept / "compiled"),
        "WHOLECLOTH_CACHE": str(kept / "cache"),
    }
    return {**plain, **own, **more}


def call(tree: Path, arguments: list[str], environment: dict[str, str]) -> None:
    """One public command; raises CommandFailed with the end of what it printed."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    ended = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if ended.returncode:
        raise CommandFailed(f"{' '.join(arguments)} ended with {ended.returncode}: {ended.stderr[-1000:]}")


def compiled(tree: Path, kept: Path) -> Path:
    """Compile the package of a tree, and return the folder that its commands import it from.

    A store may remember sources that Python had to compile while it imported a factory, so both trees begin with all of
    them compiled.
    """
    environment = environment_of(tree, kept, {})
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(tree / "pipeline")], cwd=tree, env=environment, check=True
    )
    code = "import pipeline; print(pipeline.__path__[0])"
    return Path(
        subprocess.run(
            [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
    )


@contextmanager
def storage(folder: Path) -> Iterator[Any]:
    """S3 on the loopback, empty at first."""
    from tests.storage import served

    with tempfile.TemporaryDirectory(dir=folder) as log, served(Path(log)) as server:
        yield server


def download(server: Any, folder: Path) -> None:
    """Every object of the bucket, as files."""
    import boto3

    from tests.storage import BUCKET, KEY, SECRET, TOKEN

    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_session_token": TOKEN}
    client = boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            file = folder / entry["Key"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read())
