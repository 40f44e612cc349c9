"""Where a scheduler of ours shows its dashboard."""

from __future__ import annotations

import importlib.util
from typing import Any

from pipeline.errors import ConfigError
from pipeline.interfaces import EngineOptions

LOOPBACK_ANY_PORT = "127.0.0.1:0"
"""A free port that only this machine sees; without an address, Dask opens one to every network."""


def dashboard(options: EngineOptions) -> dict[str, Any]:
    """What a scheduler is told of its dashboard.

    Raises
    ------
    ConfigError
        One is asked for and its extra is not installed.
    """
    address = options.dashboard
    if address is not None and importlib.util.find_spec("bokeh") is None:
        raise ConfigError(f"execution.dashboard is {address}, which needs an extra. Install it with pip install 'wholecloth[dashboard]', or leave it out.")
    return {"dashboard": address is not None, "dashboard_address": address or LOOPBACK_ANY_PORT}
