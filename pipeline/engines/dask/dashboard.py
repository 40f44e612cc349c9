"""Where a scheduler of ours shows its dashboard."""

from __future__ import annotations

import importlib.util
from typing import Any

from pipeline.errors import ConfigError
from pipeline.interfaces import Terms

NOWHERE = "127.0.0.1:0"
"""A free port that only this machine sees; without an address, Dask opens one to every network."""


def dashboard(terms: Terms) -> dict[str, Any]:
    """What a scheduler is told of its dashboard.

    Raises
    ------
    ConfigError
        One is asked for and its extra is not installed.
    """
    asked = terms.dashboard
    if asked is not None and importlib.util.find_spec("bokeh") is None:
        raise ConfigError(f"execution.dashboard is {asked}, which needs an extra. Install it with pip install 'wholecloth[dashboard]', or leave it out.")
    return {"dashboard": asked is not None, "dashboard_address": asked or NOWHERE}
