"""A config as a store and a frozen plan hold it."""

from __future__ import annotations

from typing import Any

from pipeline.config import Config
from pipeline.config.private_names import without_private_names
from pipeline.config.trust import without_trust
from pipeline.redact import redacted_document


def stored_config(config: Config, exclude_unset: bool = False) -> dict[str, Any]:
    """Plain values, without secrets of URLs and ``model.trust``, and without private names where the config redacts.

    Parameters
    ----------
    config
        Of a job. Its frozen plan is left out.
    exclude_unset
        As it was given, without defaults.
    """
    dumped = config.model_dump(mode="json", exclude_unset=exclude_unset, exclude={"locked"})
    document: dict[str, Any] = redacted_document(without_trust(dumped))
    return without_private_names(document) if config.output.redact else document
