"""What a network takes in OpenVINO, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import ModelError
from pipeline.models.openvino import session
from pipeline.models.openvino.converted_graph import ConvertedGraph
from pipeline.models.openvino.graphs import max_graphs
from pipeline.models.runtimes.runtime import RuntimeMemory
from pipeline.runtime.allocator import env_without_settings

MEASURING_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""So that what is freed leaves the process at once, and is not taken for what a run holds."""


def measure_memory(
    converted: ConvertedGraph, shape: Sequence[int], other: Sequence[int], threads: int
) -> RuntimeMemory:
    """Measure what OpenVINO takes for a network.

    Parameters
    ----------
    converted
        The network.
    shape, other
        (batch, bands, rows, cols) of two images that it takes, which differ. The first one is run.
    threads
        Intra-op threads.

    Raises
    ------
    ModelError
        The process failed.
    """
    import openvino

    with TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        openvino.save_model(converted.model, str(path), compress_to_fp16=False)
        arguments = {"graph": str(path), "threads": threads, "shapes": [list(other), list(shape)]}
        # -P: the folder of the script has modules whose names other libraries have too
        command = [sys.executable, "-P", session.__file__, json.dumps(arguments)]
        result = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            check=False,
            env=env_without_settings(os.environ) | MEASURING_ENVIRONMENT,
        )
    if result.returncode:
        raise ModelError(
            f"The network could not be run by OpenVINO on an image of {shape[2]} × {shape[3]} px to see its memory: "
            f"{result.stderr.strip()[-300:]}"
        )
    costs = json.loads(result.stdout)
    return RuntimeMemory(
        libraries=int(costs["library"] + max_graphs(converted) * costs["graph"]),
        bytes_per_pixel=costs["image"] / (shape[2] * shape[3]),
    )
