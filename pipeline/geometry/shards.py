"""Shards: shares of the blocks for runs that know nothing of each other, such as the tasks of a job array.

Blocks are counted row by row, whatever the order in which a machine's memory lets it read them, and cut into runs of
nearly equal length::

    |1 1 1 1 1|
    |1 1 2 2 2|      15 blocks in 2 shards
    |2 2 2 2 2|

So a share follows from the layout and the area of interest alone: it is the same on every machine, and for whatever is
committed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from pipeline.errors import ConfigError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.span import Span

COUNT_VARIABLE = "WHOLECLOTH_SHARDS"
"""Environment variable that says of how many shards an indexed job of Kubernetes is: Kubernetes gives its pods the
index alone."""
_ARRAY = "SLURM_ARRAY_TASK_"
_NUMBER = re.compile(r"[0-9]+")
_USAGE = (
    "Give i/n, such as 3/16, where i counts from 1 to n, or auto within a job array of SLURM or an "
    "indexed job of Kubernetes."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of several runs that do a job together."""

    index: int
    """Counted from 1."""
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """For names of files: all of one job are equally long, so that they sort as they count."""
        width = max(len(str(self.count)), 3)
        return f"shard-{self.index:0{width}}-of-{self.count:0{width}}"

    def span(self, blocks: int) -> Span:
        """Its share of so many blocks.

        Shares differ by one at most, and are empty where there are more shards than blocks.
        """
        return Span((self.index - 1) * blocks // self.count, self.index * blocks // self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardBlocks:
    """The blocks of a shard: those that are asked for and lie between two of them, both included, row by row."""

    first: BlockIndex
    last: BlockIndex
    count: int
    """How many they are; where none, first and last mean nothing."""

    def __contains__(self, index: BlockIndex) -> bool:
        return self.count > 0 and self.first <= index <= self.last

    @property
    def rows(self) -> range:
        """Rows of blocks that hold any."""
        return range(self.first.row, self.last.row + 1) if self.count else range(0)


def blocks_of_shard(shard: Shard, blocks: Iterable[BlockIndex], total: int) -> ShardBlocks:
    """The share of a shard.

    Parameters
    ----------
    shard
        Which.
    blocks
        All that are asked for, row by row; none is held.
    total
        How many they are.
    """
    span = shard.span(total)
    inside = islice(blocks, span.start, span.stop)
    first = next(inside, None)
    if first is None:
        return ShardBlocks(first=BlockIndex(0, 0), last=BlockIndex(0, 0), count=0)
    last = next(iter(deque(inside, maxlen=1)), first)
    return ShardBlocks(first=first, last=last, count=span.size)


def parse_shard(text: str, environ: Mapping[str, str]) -> Shard:
    """The shard that is meant.

    Parameters
    ----------
    text
        ``i/n``, or ``auto``: what SLURM says of a task of a job array, else what Kubernetes says of a pod of an indexed
        job.
    environ
        The environment.

    Raises
    ------
    ConfigError
        It is neither, or the environment does not say which one.
    """
    if text == "auto":
        return _of_slurm(environ) if f"{_ARRAY}ID" in environ else _of_kubernetes(environ)
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--shard is {text}. {_USAGE}")
    return Shard(index=int(match[1]), count=int(match[2]))


def _of_slurm(environ: Mapping[str, str]) -> Shard:
    """An array may begin at any number and have a step.

    A list with gaps, such as 3,7,9, does not say of how many shards those were.
    """
    variables = {
        name: environ.get(f"{_ARRAY}{name}", "1" if name == "STEP" else "(not set)")
        for name in ("ID", "MIN", "COUNT", "STEP")
    }
    listing = ", ".join(f"{_ARRAY}{name}={value}" for name, value in variables.items())
    if not all(_NUMBER.fullmatch(value) for value in variables.values()):
        raise ConfigError(
            f"--shard auto reads the variables that SLURM sets for each task of a job array, but found "
            f"{listing}. {_USAGE}"
        )
    number, first, count, step = map(int, variables.values())
    place, off = divmod(number - first, max(step, 1))
    last = environ.get(f"{_ARRAY}MAX", str(first + (count - 1) * step))
    if off or not 0 <= place < count or last != str(first + (count - 1) * step):
        raise ConfigError(
            f"--shard auto cannot tell the shards of this job array apart: {listing}, {_ARRAY}MAX={last}. "
            f"Its indices must lie at equal distances from the "
            "first to the last, as in --array=0-15 or --array=1-31:2; where only some shards are to be run "
            "again, give each as --shard i/n."
        )
    return Shard(index=place + 1, count=count)


def _of_kubernetes(environ: Mapping[str, str]) -> Shard:
    index, count = environ.get("JOB_COMPLETION_INDEX", ""), environ.get(COUNT_VARIABLE, "(not set)")
    if not _NUMBER.fullmatch(index):
        raise ConfigError(
            f"--shard auto found neither {_ARRAY}ID of SLURM nor JOB_COMPLETION_INDEX of Kubernetes in the "
            f"environment. {_USAGE}"
        )
    if not _NUMBER.fullmatch(count) or not int(index) < int(count):
        raise ConfigError(
            f"--shard auto found JOB_COMPLETION_INDEX={index}, which counts from 0, and "
            f"{COUNT_VARIABLE}={count}. Kubernetes does not tell a pod "
            f"how many there are: "
            f"set {COUNT_VARIABLE} in the manifest to the job's completions."
        )
    return Shard(index=int(index) + 1, count=int(count))
