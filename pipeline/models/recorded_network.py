"""A network that was loaded before, by what was recorded of it then.

Planning asks a network that was measured for no more than this; so torch is not imported for it. A record is used of
the same bytes of one file that holds the whole network, with the same releases of what reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import ModelConfig
from pipeline.interfaces import Graph, InputConstraints
from pipeline.models.array_network import OpenedRun
from pipeline.models.loaded import Loaded
from pipeline.models.weights import sha256
from pipeline.runtime.record_files import NotRecorded, record_path, torch_release, write_record
from pipeline.runtime.resources import cache_folder

if TYPE_CHECKING:
    import torch

RECORD_VERSION = 1
"""Raised when loading or what is recorded of it changes."""
RECORDED_KINDS = {"torchscript": (), "exported": (), "onnx": ("onnx", "onnxruntime")}
"""Kinds whose file holds the whole network; each with the packages that read it beside torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNetwork(Loaded):
    """A network without its module: whatever needs the module raises `NotRecorded`."""

    module: torch.nn.Module = field(init=False, repr=False, compare=False)
    graph: Graph | None = field(init=False, repr=False, compare=False)
    path: Path
    """Of the file that was loaded."""
    outside: bool
    """Whether its file is one that another library runs."""
    opened: OpenedRun | None = field(default=None, repr=False, compare=False)
    """What runs it in this process, once that is open."""

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there: the module, and the graph."""
        raise NotRecorded(name)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """It cannot be run."""
        raise NotRecorded("module")

    @property
    def runs_outside(self) -> bool:
        """Whether its file is one that another library runs."""
        return self.outside


def recorded_network(model: ModelConfig, bands: int) -> RecordedNetwork | None:
    """A network that was loaded before.

    Parameters
    ----------
    model
        With its kind resolved, and with the file of its weights on this machine.
    bands
        Bands that are read.

    Returns
    -------
    RecordedNetwork or None
        None where there is no record.
    """
    if model.path is None or not _is_whole_file(model):
        return None
    try:
        path = _path(model, bands, sha256(model.path))
        values = json.loads(path.read_text()) if path is not None else {}
        return RecordedNetwork(
            identity_fields=values["identity"],
            key=model.output.key,
            accepts=InputConstraints(**values["accepts"]),
            notes=tuple(values["notes"]),
            input_dtype=values["input_dtype"],
            bands=bands,
            path=model.path,
            outside=values["outside"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_network_record(model: ModelConfig, bands: int, network: Loaded) -> None:
    """Record a network that was loaded, where its file holds the whole of it."""
    if "external" in network.identity_fields or not _is_whole_file(model):
        return
    path = _path(model, bands, network.identity_fields["sha256"])
    if path is not None and not path.exists():
        values = {
            "identity": network.identity_fields,
            "accepts": asdict(network.accepts),
            "notes": network.notes,
            "input_dtype": network.input_dtype,
            "outside": network.runs_outside,
        }
        write_record(path, values)


def _is_whole_file(model: ModelConfig) -> bool:
    return model.kind in RECORDED_KINDS and model.path is not None and not (model.members or model.input_bands)


def _path(model: ModelConfig, bands: int, digest: str) -> Path | None:
    """The file of the record of a network whose file has a digest; None where what reads it is not installed."""
    assert model.kind is not None, "asked of kinds that are recorded"
    try:
        releases = [torch_release(), *(version(package) for package in RECORDED_KINDS[model.kind])]
    except PackageNotFoundError:
        return None
    key = [RECORD_VERSION, model.kind, digest, model.output.key, model.trust, bands, releases]
    return record_path(cache_folder() / "networks", key)
