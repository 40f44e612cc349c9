"""The table of all options that decide a byte of a store, in the order of the fingerprint.

The fingerprint, the frozen plan, the recipe in the root of a store, the plan that is printed, and the table in
docs/config.md are made from these rows.
"""

from __future__ import annotations

from typing import Any

from pipeline.planning.option import NO_DEFAULT, Option
from pipeline.planning.options.execution import EXECUTION_OPTIONS
from pipeline.planning.options.model import MODEL_OPTIONS
from pipeline.planning.options.output import OUTPUT_OPTIONS
from pipeline.planning.options.tile import TILE_OPTIONS

OPTIONS: tuple[Option, ...] = (*MODEL_OPTIONS, *TILE_OPTIONS, *OUTPUT_OPTIONS, *EXECUTION_OPTIONS)
"""Rows in the order of the fingerprint. `AUTO` is never a resolved value."""

FINGERPRINT_OPTIONS = tuple(option for option in OPTIONS if option.in_fingerprint)
RECIPE_OPTIONS = tuple(option for option in OPTIONS if option.in_recipe)
OLD_DEFAULTS: dict[str, Any] = {
    option.key: option.old_default for option in OPTIONS if option.old_default is not NO_DEFAULT
}
"""Values of options in stores that lack them, by key."""


def recipe_of_store(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe in the root of a store, with the values of options that are younger than the store."""
    return {
        **{option.name: option.old_default for option in RECIPE_OPTIONS if option.old_default is not NO_DEFAULT},
        **recipe,
    }


def frozen_fields(section: str) -> list[str]:
    """Names of the fields of a section that a frozen plan decides."""
    return [option.config_field.rpartition(".")[2] for option in OPTIONS if option.section == section and option.frozen]
