"""Everything that was decided, written as a config of its own: every node that runs it makes the same bytes."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.planning import frozen_plan
from pipeline.planning.job import Job
from pipeline.store.files import Files

MARK = "# A frozen plan of wholecloth"
"""How each such file begins, and no other."""
HELD = ("tiles", "costs", "recipe", "fingerprint", "locality", "levels", "versions")
"""What a plan is taken up from, in the words of a store's root."""
NESTED = 2
"""Levels of sections that get lines of their own."""


def freeze(job: Job, config: Path, file: Path) -> Path:
    """Write a job with nothing left to decide.

    Parameters
    ----------
    job
        Prepared.
    config
        Where it was read from.
    file
        What is written. Paths in it are absolute, so that it works wherever it lies.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        It cannot be written, or is something else than a frozen plan.
    """
    _check(file)
    text = f"{_head(job, config, file)}\n{_block(json.loads(json.dumps(document(job), default=str)))}\n"
    try:
        Files(file.parent).put(file.name, text.encode())
    except OSError as error:
        raise ConfigError(f"--freeze is {file}, which cannot be written: {error.strerror}. Give a file in a folder that can be written.") from error
    return file


def document(job: Job) -> dict[str, Any]:
    """The config of a job with every ``auto`` resolved that decides a byte, and what was decided beside it."""
    said = job.config.model_dump(mode="json", exclude_unset=True, exclude={"locked"})
    for section, values in _resolved(job).items():
        said[section] = {**said.get(section, {}), **values}
    said["model"]["output"] = {**said["model"].get("output", {}), "activation": job.task.recipe.decoding.activation}
    meta, device = job.meta(), job.task.device
    held = {name: meta[name] for name in HELD}
    return {**said, "locked": {**held, "device": device.partition(":")[0], "hardware": frozen_plan.hardware(device)}}


def _resolved(job: Job) -> dict[str, dict[str, Any]]:
    """What is decided, by the keys of the config. A tolerance was measured, so that its halo stands for it."""
    tiles, recipe, device = job.plan.tiles, job.task.recipe, job.config.execution.device
    meet = {"halo": tiles.halo, "overlap": 0} if tiles.halo is not None else {"overlap": tiles.size - tiles.step}
    tile = {name: getattr(tiles, name) for name in ("size", "taper", "blend", "augment", "pad", "batch")}
    return {
        "tile": {**meet, **tile},
        "output": {"chunk": tiles.chunk, "block": tiles.block, "shard": tiles.shard or "none", "nodata": recipe.nodata},
        "execution": {"device": job.task.device if device == "auto" else device, "precision": recipe.precision, "fold": recipe.fold, "compile": recipe.compile},
    }


def _check(file: Path) -> None:
    """Refuse to overwrite what is no frozen plan, such as the config itself."""
    if not file.exists():
        return
    try:
        ours = file.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    except OSError:
        ours = False
    if not ours:
        raise ConfigError(f"--freeze is {file}, which exists, is no frozen plan, and was left as it is. Give another file.")


def _head(job: Job, config: Path, file: Path) -> str:
    versions = job.meta()["versions"]
    return f"""\
{MARK}: {config.name} with nothing left to decide.
# Frozen {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with wholecloth {versions["wholecloth"]}, torch {versions["torch"]}, by
#     wholecloth plan {shlex.quote(str(config))} --freeze {shlex.quote(str(file))}
# Run it where its source and its network are, on any number of nodes, each into a store of its own or all into one:
#     wholecloth run {shlex.quote(str(file))} --locked
# It is needed where runs that share no store must make the same bytes, on nodes of unlike memory and cores. It is not needed to resume a run, nor for shards of
# one store: whoever makes the store fixes its plan in it, and all others take that up.
# Free to change: output.path (--out), execution but device, precision, fold and compile, names and colours of classes. All else is held by the section locked.
"""


def _block(said: dict[str, Any], depth: int = 0) -> str:
    """YAML: a line for each key; what lies deeper is written as JSON, which YAML takes as it is."""
    lines = []
    for key, value in said.items():
        name = key if re.fullmatch(r"(?!null|true|false)[a-z_][a-z0-9_.]*", key) else json.dumps(key, ensure_ascii=False)
        if isinstance(value, dict) and value and depth < NESTED:
            lines.append(f"{'  ' * depth}{name}:\n{_block(value, depth + 1)}")
        else:
            lines.append(f"{'  ' * depth}{name}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)
