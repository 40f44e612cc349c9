"""Classes as QuPath writes them into GeoJSON."""

from __future__ import annotations

import json
from typing import Any


def qupath_class_name(value: Any) -> Any:
    """The name in a classification as QuPath writes it; others as they are.

    QuPath writes ``{"name": "Tumor", "color": […]}`` or ``{"names": ["Tumor", "Positive"]}``.
    """
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        entry = json.loads(value)
    except ValueError:
        return value
    names = entry.get("names")
    return ": ".join(map(str, names)) if isinstance(names, list) and names else entry.get("name", value)
