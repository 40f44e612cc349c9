"""Versions of what a peer imports: ``python -m benchmarks.performance.peers.installed monai torch``.

Fails where one is missing.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import version

from benchmarks.performance.watch import ROOT, environment_for

NEEDS = {"monai": ("monai", "torch", "rasterio"), "dask": ("dask", "rioxarray", "zarr", "torch")}
"""What each peer imports; its own package first."""


def installed(python: str, peer: str) -> dict[str, str] | None:
    """Versions in another environment; None where something is missing."""
    command = [python, "-m", __name__, *NEEDS[peer]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment_for({}), check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def versions(names: list[str]) -> dict[str, str]:
    """Versions here. Raises ImportError."""
    for name in names:
        importlib.import_module(name)
    return {name: version(name) for name in names}


if __name__ == "__main__":
    print(json.dumps(versions(sys.argv[1:])))
