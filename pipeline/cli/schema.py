"""``wholecloth schema``."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON schema of the config."""
    import json

    from pipeline.config.load import schema as read

    print(json.dumps(read(), indent=2))
