"""What is known of one option of a job.

How it is read, which documents have it, and what older stores had in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.config import Config
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Network
from pipeline.planning.types import TilePlan

AUTO = "auto"
"""A request that any value fulfils. A value that a frozen plan does not write is `AUTO` too."""
NO_DEFAULT = object()
"""Stands where every store has the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The config of a job and what it was resolved to: the values of all options are read from this."""

    config: Config
    network: Network
    recipe: Recipe
    tiles: TilePlan
    device: str


Reader = Callable[[Resolved], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table of options.

    A value is written to JSON, so that readers return plain values.
    """

    key: str
    """Section and name in the fingerprint, such as ``tile.size``."""
    since: str
    """Day and minute (UTC) of the change that added the option."""
    explanation: str
    """What the option decides, for the guide."""
    resolved: Reader
    """Reads the value that a job runs with."""
    requested: Reader | None = None
    """Reads the value that the config insists on, or `AUTO`. Without it the resolved value is insisted on."""
    frozen: Reader | None = None
    """Reads the value that a frozen plan writes into the config. Without it a frozen plan keeps what the config has."""
    locked: Reader | None = None
    """Reads the value that the config insists on under a frozen plan, where that is more than under a store."""
    field: str = ""
    """Field of the config that decides the value, where its name is not the key."""
    old_default: Any = NO_DEFAULT
    """Value in stores that lack the key."""
    in_fingerprint: bool = True
    """Whether the fingerprint has the key."""
    in_recipe: bool = False
    """Whether the recipe in the root of a store has the value."""
    in_plan: bool = False
    """Whether the document of ``plan --json`` has the value: in the object ``tile``, or at its top."""
    sentence: Callable[[Resolved], str | None] | None = None
    """Describes the value in the rows that ``plan`` prints, or returns None where there is nothing to tell."""
    request_rank: int = 0
    """Place among the requested values, of which a message names the first three: lower comes first, then the order of
    the table."""
    line_rank: int = 0
    """Place in its section of a frozen plan and of ``plan --json``: lower comes first, then the order of the table."""

    @property
    def section(self) -> str:
        """The section of the config, such as ``model.input``."""
        return self.config_field.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key without its section."""
        return self.key.rpartition(".")[2]

    @property
    def config_field(self) -> str:
        """The field of the config that decides the value, with its section."""
        return self.field or self.key


def resolved_values(options: Iterable[Option], resolved: Resolved) -> dict[str, Any]:
    """The value of each option by its key."""
    return {option.key: option.resolved(resolved) for option in options}


def requested_values(options: Iterable[Option], resolved: Resolved) -> dict[str, Any]:
    """The values that the config insists on, by key, in the order in which messages name them."""
    ranked = sorted(options, key=lambda option: option.request_rank)
    values = {option.key: (option.requested or option.resolved)(resolved) for option in ranked}
    return {key: value for key, value in values.items() if value != AUTO}


def locked_values(options: Iterable[Option], resolved: Resolved) -> dict[str, Any]:
    """The values that the config insists on under a frozen plan alone, by key."""
    values = {option.key: option.locked(resolved) for option in options if option.locked}
    return {key: value for key, value in values.items() if value != AUTO}


def frozen_values(options: Iterable[Option], resolved: Resolved) -> dict[str, Any]:
    """The values that a frozen plan writes, by the field of the config."""
    ranked = sorted(options, key=lambda option: option.line_rank)
    values = {option.config_field: option.frozen(resolved) for option in ranked if option.frozen}
    return {field: value for field, value in values.items() if value != AUTO}


def plan_values(options: Iterable[Option], resolved: Resolved, tile: bool) -> dict[str, Any]:
    """The values that ``plan --json`` has in the object ``tile``, or at its top, by name."""
    ranked = sorted((option for option in options if option.in_plan), key=lambda option: option.line_rank)
    return {option.name: option.resolved(resolved) for option in ranked if (option.section == "tile") == tile}


def option_sentences(options: Iterable[Option], resolved: Resolved) -> dict[str, str]:
    """The sentences that ``plan`` prints of options, by key."""
    sentences = {option.key: option.sentence(resolved) for option in options if option.sentence}
    return {key: sentence for key, sentence in sentences.items() if sentence}
