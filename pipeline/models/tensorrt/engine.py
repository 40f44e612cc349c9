"""Engines of TensorRT: built of a network for one shape, or read where the same was built before.

TensorRT times kernels while it builds, and takes the fastest. So an engine that is built again may round otherwise, and
a store goes on with the same bytes only where its engines are kept. What the settings mean:
https://docs.pytorch.org/TensorRT/py_api/torch_tensorrt.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.kept_conversion import KeptConversion
from pipeline.models.loaded import Loaded
from pipeline.models.output import require_scores
from pipeline.models.tensorrt import TENSORRT_PACKAGE
from pipeline.models.weights.file_type import first_line
from pipeline.models.whole_file import is_whole_file
from pipeline.runtime.backends import backend_of
from pipeline.runtime.record_files import torch_release

ENGINE_VERSION = 1
"""Raised when building changes, so that engines are built again."""
ENGINE, ENGINE_RECORD = "engine.pt2", "engine.json"


def engine_for(network: Loaded, shape: Sequence[int], device: torch.device) -> Any:
    """An engine for images of one shape.

    Parameters
    ----------
    network
        On the device, in eval mode.
    shape
        (batch, bands, rows, cols).
    device
        A GPU.

    Returns
    -------
    callable
        An image float32 on the device → what counts of what the network returns.

    Raises
    ------
    ModelError
        TensorRT cannot take the network.
    """
    if not is_whole_file(network):
        return _built(network, shape, device)
    kept = KeptConversion(runtime="tensorrt", key=_key(network, shape, device), files=(ENGINE,), record=ENGINE_RECORD)
    if (engine := _read(kept)) is not None:
        return engine
    engine = _built(network, shape, device)
    kept.write(lambda folder: _save(engine, folder / ENGINE, _example(shape, device)), {})
    return _read(kept) or engine  # what the next process will read


class _Scores(torch.nn.Module):
    """A network that returns nothing but the scores."""

    def __init__(self, network: Loaded) -> None:
        super().__init__()
        self.module, self.key = network.module, network.key
        self.training = False  # of this module alone: an exported program refuses eval(), and was exported in it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → (batch, classes, rows, cols) at whatever size."""
        return require_scores(self.module(x), self.key)


def _built(network: Loaded, shape: Sequence[int], device: torch.device) -> Any:
    """TorchScript by its own front end, all else by torch.export; operators that TensorRT has not stay torch's."""
    import torch_tensorrt

    is_script = isinstance(network.module, torch.jit.ScriptModule)
    module, example = _Scores(network), _example(shape, device)
    try:
        with torch.inference_mode():
            source = torch.jit.trace(module, example, check_trace=False, strict=False) if is_script else module
        return torch_tensorrt.compile(source, ir="ts" if is_script else "dynamo", inputs=[example], disable_tf32=True)
    except Exception as error:  # whatever the network's code and TensorRT raise
        raise ModelError(f"TensorRT cannot take this network ({first_line(error)})") from error


def _example(shape: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.zeros(*shape, device=device)


def _key(network: Loaded, shape: Sequence[int], device: torch.device) -> str:
    """All that decides the engine but the clock."""
    releases = [ENGINE_VERSION, torch_release(), version(TENSORRT_PACKAGE), backend_of(device).hardware(device)]
    return json.dumps([*releases, network.identity(), network.folded, list(shape)], sort_keys=True, default=str)


def _save(engine: Any, path: Path, example: torch.Tensor) -> None:
    import torch_tensorrt

    form = "torchscript" if isinstance(engine, torch.jit.ScriptModule) else "exported_program"
    torch_tensorrt.save(engine, str(path), output_format=form, inputs=[example])


def _read(kept: KeptConversion) -> Any:
    """None where there is none that may be read."""
    import torch_tensorrt

    if kept.read() is None:
        return None
    try:
        engine = torch_tensorrt.load(str(kept.folder / ENGINE))
        return engine if isinstance(engine, torch.jit.ScriptModule) else engine.module()
    except (
        Exception
    ):  # an engine of another driver, which torch or TensorRT refuse in their own words: it is built anew
        return None
