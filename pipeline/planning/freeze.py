"""Everything that was decided, written as a config of its own: every node that runs it makes the same bytes."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from pipeline.config.trust import without_trust
from pipeline.errors import ConfigError
from pipeline.planning import frozen_plan
from pipeline.planning.job import Job
from pipeline.planning.option import frozen_values
from pipeline.planning.options import OPTIONS, frozen_fields
from pipeline.planning.stored_config import stored_config
from pipeline.store.files import files_at

MARK = "# A frozen plan of wholecloth"
"""How each such file begins, and no other."""
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
        It cannot be written, or is something else than a frozen plan; or numbers of the raster are not found yet.
    """
    _check(file)
    if job.provisional:
        raise ConfigError(
            "--freeze writes all that is decided, and the numbers of model.input.normalise are not found yet: that "
            "takes a pass over the raster. Add --estimate."
        )
    text = f"{_head(job, config, file)}\n{_block(json.loads(json.dumps(document(job), default=str)))}\n"
    try:
        files_at(file.parent).put(file.name, text.encode())
    except OSError as error:
        raise ConfigError(
            f"--freeze is {file}, which cannot be written: {error.strerror}. Give a file in a folder that "
            f"can be written."
        ) from error
    return file


def document(job: Job) -> dict[str, Any]:
    """The config of a job with every ``auto`` resolved that decides a byte, and what was decided beside it."""
    content = (
        stored_config(job.config, exclude_unset=True)
        if job.config.output.redact
        else without_trust(job.config.model_dump(mode="json", exclude_unset=True, exclude={"locked"}))
    )
    for field, value in frozen_values(OPTIONS, job.resolved).items():
        *sections, name = field.split(".")
        reduce(lambda section, key: section.setdefault(key, {}), sections, content)[name] = value
    meta, device = job.meta(), job.task.device
    if job.config.output.redact:  # the store that is there may name its source
        meta["fingerprint"] = {**meta["fingerprint"], **job.moved}
    stored = {name: meta[name] for name in (*frozen_plan.FROZEN_KEYS, "tissue") if name in meta}
    return {
        **content,
        "locked": {**stored, "device": device.partition(":")[0], "hardware": frozen_plan.hardware(device)},
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
        raise ConfigError(
            f"--freeze is {file}, which exists, is no frozen plan, and was left as it is. Give another file."
        )


def _head(job: Job, config: Path, file: Path) -> str:
    versions, (*fields, last) = job.meta()["versions"], frozen_fields("execution")
    redact = job.config.output.redact
    name, command = ("a config", "CONFIG") if redact else (config.name, shlex.quote(str(config)))
    paths = [f"--set model.inputs.{name}.path=FILE" for name in job.config.model.inputs] or ["--source FILE"]
    source = f" {' '.join(paths)}" if redact else ""
    return f"""\
{MARK}: {name} with nothing left to decide.
# Frozen {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with wholecloth {versions["wholecloth"]}, torch {versions["torch"]}, by
#     wholecloth plan {command} --freeze {shlex.quote(str(file))}
# Run it where its source and its network are, on any number of nodes, each into a store of its own or all into one:
#     wholecloth run {shlex.quote(str(file))} --locked{source}
# It is needed where runs that share no store must make the same bytes, on nodes of unlike memory and cores.
# It is not needed to resume a run, nor for shards of one store: whoever makes the store fixes its plan in it, and all
# others take that up.
# Free to change: output.path (--out), execution but {", ".join(fields)} and {last},
# names and colours of classes. All else is held by the section locked.
"""


def _block(section: dict[str, Any], depth: int = 0) -> str:
    """YAML: a line for each key; what lies deeper is written as JSON, which YAML takes as it is."""
    lines = []
    for key, value in section.items():
        name = (
            key if re.fullmatch(r"(?!null|true|false)[a-z_][a-z0-9_.]*", key) else json.dumps(key, ensure_ascii=False)
        )
        if isinstance(value, dict) and value and depth < NESTED:
            lines.append(f"{'  ' * depth}{name}:\n{_block(value, depth + 1)}")
        else:
            lines.append(f"{'  ' * depth}{name}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)
