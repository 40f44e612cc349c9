"""A network through ``torch.compile``.

Kernels of its own for every shape of tile, made once and kept on disk, for runs long enough to pay for them.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from typing import cast

from pipeline.interfaces import Device
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.runtime.backends import backend_of
from pipeline.runtime.resources import cache_folder

MAX_SHAPES = 64
"""Shapes of tiles, each with kernels of its own; torch gives up compiling at eight by itself, and would go on with
other roundings."""


def compiled(network: Loaded) -> Loaded:
    """The same network, compiled when it first sees a shape; its answers differ by roundings.

    Kernels are made for each shape by itself. Those for any size would depend on which size came first, and with it the
    bytes of a store that was gone on with.

    Parameters
    ----------
    network
        On its device, in eval mode; `why_not_compilable` is None for it.
    """
    _configure_inductor()
    import torch._dynamo.config as limits

    limits.cache_size_limit, limits.fail_on_cache_limit_hit = MAX_SHAPES, True
    if isinstance(network, Ensemble):
        return network.with_networks(_compiled(one) for one in network.networks)
    return _compiled(network)


def why_not_compilable(network: Loaded, device: Device) -> str | None:
    """Why a network cannot be compiled here, or None."""
    import torch

    from pipeline.models.several_inputs.split_input import network_within

    if isinstance(network, Ensemble):
        return next((reason for one in network.networks if (reason := why_not_compilable(one, device))), None)
    if network.graph is not None:
        return "an ONNX file runs in onnxruntime, which torch cannot compile"
    if isinstance(network_within(network.module), torch.jit.ScriptModule):
        return (
            "TorchScript runs in an interpreter of its own, which torch.compile cannot look into; run "
            "the network from its code or an exported program"
        )
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if backend_of(device).needs_compiler and shutil.which(compiler) is None:
        return f"on a CPU it needs a C++ compiler, and {compiler} is not installed"
    return None


def _compiled(network: Loaded) -> Loaded:
    import torch

    return replace(network, module=cast(torch.nn.Module, torch.compile(network.module, dynamic=False)))


def _configure_inductor() -> None:
    """Keep compiled kernels with the package's other caches, where no other user puts any.

    Kernels are made in this process, whose memory is planned, unless the shell says otherwise.
    """
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = cache_folder() / "compiled"
        with suppress(OSError):  # a home that is read-only costs seconds at the next run, not this one
            folder.mkdir(parents=True, exist_ok=True)
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
