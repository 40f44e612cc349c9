"""Converted graphs, kept in the cache folder: a network that was seen before is not converted again.

A graph decides pixels. So it is kept of whole files alone, whose bytes decide it, and read only where nobody else may
have written it.

    openvino/KEY/   graph.xml graph.bin graph.json     renamed into place once it is whole
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipeline.models.bn_folding import exported
from pipeline.models.loaded import Loaded
from pipeline.models.openvino.convert import convert
from pipeline.models.openvino.converted_graph import ConvertedGraph
from pipeline.models.weights import sha256
from pipeline.runtime.resources import cache_folder

GRAPH_VERSION = 1
"""Raised when conversion changes, so that networks are converted again."""
WHOLE_FILES = ("torchscript", "exported")
"""Kinds whose file holds the whole network, code and weights. ONNX files are read as they are."""
GRAPH, WEIGHTS, RECORD = "graph.xml", "graph.bin", "graph.json"


def kept_graph(network: Loaded, shape: Sequence[int]) -> ConvertedGraph:
    """The graph of a network: the one that was kept of the same bytes, else converted now, and kept.

    Parameters
    ----------
    network
        On the CPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, with which its code is followed.

    Raises
    ------
    ModelError
        OpenVINO cannot take it.
    """
    if not _is_whole_file(network):
        return convert(network, shape)
    key = _key(network, shape)
    folder = cache_folder() / "openvino" / hashlib.sha256(key.encode()).hexdigest()
    if (graph := _read(folder, key)) is not None:
        return graph
    converted = convert(network, shape)
    _write(folder, key, converted)
    return converted


def _is_whole_file(network: Loaded) -> bool:
    """Whether a file's bytes decide the module: none that wraps it, or that code outside of it builds."""
    module, fields = network.module, network.identity_fields
    plain = isinstance(module, torch.jit.ScriptModule) or exported.is_program(module)
    return plain and fields.get("kind") in WHOLE_FILES and "sha256" in fields


def _key(network: Loaded, shape: Sequence[int]) -> str:
    """All that decides the graph: the network, the image that its code is followed with, and what follows it."""
    releases = [GRAPH_VERSION, torch.__version__, version("openvino")]
    return json.dumps([*releases, network.identity(), network.folded, list(shape)], sort_keys=True, default=str)


def _read(folder: Path, key: str) -> ConvertedGraph | None:
    """None where there is none, where it is cut short, and where others may have written it."""
    import openvino

    try:
        if not all(_is_private(path) for path in (folder, *(folder / name for name in (GRAPH, WEIGHTS, RECORD)))):
            return None
        record = json.loads((folder / RECORD).read_text())
        if record["key"] != key or record["digests"] != _digests(folder):
            return None
        model = openvino.Core().read_model(str(folder / GRAPH), str(folder / WEIGHTS))
        return ConvertedGraph(
            model=model, weights=None, output=int(record["output"]), fixed_numbers=bool(record["fixed_numbers"])
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):  # the last one is OpenVINO's
        return None


def _write(folder: Path, key: str, converted: ConvertedGraph) -> None:
    """Write whole or not at all. A home that is read-only or full costs seconds at the next command, not this one."""
    import openvino

    partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
    with suppress(OSError, RuntimeError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.mkdir(mode=0o700)
            openvino.save_model(converted.model, str(partial / GRAPH), compress_to_fp16=False)
            record = {
                "key": key,
                "digests": _digests(partial),
                "output": converted.output,
                "fixed_numbers": converted.fixed_numbers,
            }
            (partial / RECORD).write_text(json.dumps(record))
            for name in (GRAPH, WEIGHTS, RECORD):
                (partial / name).chmod(0o600)
            shutil.rmtree(folder, ignore_errors=True)  # one that was not read
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _digests(folder: Path) -> list[Any]:
    return [sha256(folder / name) for name in (GRAPH, WEIGHTS)]


def _is_private(path: Path) -> bool:
    """Whether a file or folder is this user's, no link, and nobody else may write to it; always so on Windows."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return False
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
