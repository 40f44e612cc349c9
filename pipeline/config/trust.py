"""``model.trust`` is the word of who types it: what is stored, frozen or sent on does not hold it."""

from __future__ import annotations

from typing import Any

TRUST_KEY = "trust"
TRUST_OVERRIDE = f"model.{TRUST_KEY}=true"
"""As the option ``--set`` takes it."""


def without_trust(document: dict[str, Any]) -> dict[str, Any]:
    """The plain values of a config, with nothing trusted.

    Parameters
    ----------
    document
        Read from a store or a frozen plan, which may be a stranger's, or about to be written into one.
    """
    model = document.get("model")
    if not isinstance(model, dict) or TRUST_KEY not in model:
        return document
    return {**document, "model": {key: value for key, value in model.items() if key != TRUST_KEY}}
