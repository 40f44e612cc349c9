"""A config as a store and a frozen plan hold it."""

from __future__ import annotations

import json
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


def stored_inputs(config: Config) -> list[dict[str, Any]]:
    """Of a network of several inputs, in the order of the bands: ``name``, ``bands``, and ``source`` as a text."""
    if not config.model.input_bands:
        return []
    document = stored_config(config)
    sections = {name: section["path"] for name, section in document["model"]["inputs"].items()}
    return [
        {"name": name, "bands": bands, "source": _text(sections.get(name, document["source"]["path"]))}
        for name, bands in config.model.input_bands
    ]


def _text(path: Any) -> str:
    return path if isinstance(path, str) else json.dumps(path, ensure_ascii=False)
