"""Where and with what something was measured."""

from __future__ import annotations

import datetime
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import rasterio
import torch

import pipeline
from benchmarks.performance.child import cores


def facts() -> dict[str, Any]:
    """Machine, versions and date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": processor(),
        "cores": cores(),
        "memory": psutil.virtual_memory().total,
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported(),
        "system": platform.platform(terse=True),
        "versions": {
            "wholecloth": pipeline.__version__,
            "python": sys.version.split()[0],
            "torch": str(torch.__version__),
            "GDAL": rasterio.__gdal_version__,
            "zarr": version("zarr"),
        },
    }


def processor() -> str:
    """The processor's own name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
