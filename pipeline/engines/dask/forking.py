"""Worker processes forked from one that has imported what they need.

Imports take each worker two CPU seconds and 200 MiB. Forked workers share both: on two cores eight of them are at work
after 2.3 s instead of 9 s, in 0.4 GiB instead of 1.7 GiB (``benchmarks/workers.py``).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver

PRELOADED_MODULES = ("distributed", "rasterio", "zarr", "pipeline.inference.block_task")
"""Only imports may run before a fork: a thread of OpenMP or an event loop would be missing in the workers."""
TORCH_MODULES = (
    "torch",
    "pipeline.inference.infer",
    "pipeline.models.bn_folding.eager",
    *(f"pipeline.models.{kind}" for kind in ("native", "python", "exported", "torchscript", "onnx", "smp")),
)
"""The same, where workers compute with torch."""

_environments: list[Mapping[str, str]] = []
"""Of the server of this process, once it runs: what libraries read when they are loaded stays as it is for all of its
workers."""


@contextmanager
def forked(environment: Mapping[str, str], *, in_torch: bool = True) -> Iterator[None]:
    """Have Dask fork the workers that it starts meanwhile.

    Where the fork server has libraries with another environment, workers are started instead.

    Parameters
    ----------
    environment
        Variables that workers have beside those of this process.
    in_torch
        Whether they compute with torch.
    """
    import dask
    from distributed.utils import get_mp_context

    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()  # it names Dask's own modules the first time, so that ours come after it
    multiprocessing.set_forkserver_preload([*PRELOADED_MODULES, *(TORCH_MODULES if in_torch else ())])
    if not _environments:
        _start(environment)
    method = "forkserver" if _environments[0] == environment else "spawn"
    with dask.config.set({"distributed.worker.multiprocessing-method": method}):
        yield


def _start(environment: Mapping[str, str]) -> None:
    """Start the server with an environment: OpenMP and the allocator read it before a worker could change it."""
    previous = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        forkserver.ensure_running()
    finally:
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    _environments.append(dict(environment))
