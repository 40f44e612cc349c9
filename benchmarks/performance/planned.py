"""What our own plan says of a network and a raster: ``plan --json`` of a config."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.performance.child import serve


def plan(orders: dict[str, Any]) -> dict[str, Any]:
    """Also measures the network: its stride and radius are in the cache from then on, for all runs alike."""
    command = [sys.executable, "-m", "pipeline", "plan", orders["config"], "--json"]
    said: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return said


if __name__ == "__main__":
    serve(plan)
