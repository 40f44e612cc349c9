"""Twelve jobs: one for each kind of network, and between them every form of a store and of a run."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.same_bytes.inputs import ARGUMENTS, SEGFORMER
from tests.scenes import CLASSES

ALL_LAYERS = ["mask", "confidence", "probabilities", "entropy"]
BUCKET_URL = "s3://scenes"
SERIAL = {"device": "cpu", "engine": "serial", "streams": 1, "memory": "4GiB"}
"""What does not depend on the load of the machine, so that two runs have one plan."""
THREADS = {"engine": "threads", "workers": 2}
PROCESSES = {"engine": "processes", "processes": 2, "workers": 1}
LENET = "pipeline.networks.classifiers:lenet"
"""The name stands in the configs and stores of users, and stays whatever the module is called."""


LIBRARIES = {"smp": "segmentation_models_pytorch", "transformers": "transformers"}
"""Without which a kind of network cannot run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A config and the commands that run it."""

    kind: str
    """Value of ``model.kind``, and the name of the job."""
    covers: str
    """Features beside the kind of network, in words."""
    config: dict[str, Any]
    shards: int = 0
    """Tasks of a job array, then ``finish``; 0 for one plain run."""

    @property
    def store(self) -> str:
        """Path or URL of the store."""
        return str(self.config["output"]["path"])

    @property
    def is_remote(self) -> bool:
        """Whether the store lies on object storage."""
        return self.store.startswith("s3://")

    def commands(self, config: Path) -> list[list[str]]:
        """Arguments of the public command, one list for each process."""
        run = ["run", str(config)]
        if not self.shards:
            return [run]
        return [*([*run, "--shard", f"{k}/{self.shards}"] for k in range(1, self.shards + 1)), ["finish", self.store]]

    def obstacle(self, inputs: Path) -> str | None:
        """Why the job cannot run here, or None."""
        library = LIBRARIES.get(self.kind)
        if library is None or (importlib.util.find_spec(library) and (inputs / f"{self.kind}.pt").exists()):
            return None
        return f"{library} is not installed"


def jobs(folder: Path) -> list[Job]:
    """The jobs on the inputs of a folder; their stores lie in ``folder/out``."""
    return [job(folder, *row, **sections) for row, sections in ROWS]


def job(folder: Path, kind: str, file: str, covers: str, shards: int = 0, **sections: dict[str, Any]) -> Job:
    """One job: the sections are merged over those that all jobs have."""
    place = BUCKET_URL if sections.pop("remote", None) else folder / "out"
    config: dict[str, Any] = {
        "source": {"path": str(folder / "scene.tif")},
        "model": {"kind": kind, "path": str(folder / file), "classes": CLASSES, "input": {"mean": 500, "std": 200}},
        "output": {"path": f"{place}/{kind}.zarr", "chunk": 64, "block": 128},
        "execution": SERIAL,
    }
    for name, values in json.loads(json.dumps(sections).replace("FOLDER", str(folder))).items():
        config[name] = {**config.get(name, {}), **values}
    return Job(kind=kind, covers=covers, config=config, shards=shards)


ROWS: list[tuple[tuple[Any, ...], dict[str, dict[str, Any]]]] = [
    (("fcn32s", "fcn32s.safetensors", "serial engine, Zarr v3"), {}),
    (
        ("fcn16s", "fcn16s.safetensors", "threads, Zarr v2, confidence"),
        {"output": {"zarr_format": 2, "layers": ["mask", "confidence"]}, "execution": THREADS},
    ),
    (
        ("fcn8s", "fcn8s.safetensors", "job array of two shards, then finish; entropy", 2),
        {"output": {"layers": ["mask", "entropy"]}},
    ),
    (
        ("fcn", "fcn.safetensors", "Zarr shards, all four layers, threads"),
        {"output": {"shard": 128, "layers": ALL_LAYERS}, "execution": THREADS},
    ),
    (
        ("deconvnet", "deconvnet.safetensors", "engine processes"),
        {"output": {"layers": ["mask", "confidence"]}, "execution": PROCESSES},
    ),
    (
        ("resnet_fcn", "resnet_fcn.safetensors", "area of interest"),
        {"source": {"aoi": "FOLDER/area.geojson"}, "output": {"layers": ["mask", "confidence"]}},
    ),
    (
        ("torchscript", "unet.pt", "store on S3, threads, a certificate"),
        {"remote": {"yes": True}, "output": {"certificate": True}, "execution": THREADS},
    ),
    (
        ("exported", "unet.pt2", "probabilities in float16, min_confidence"),
        {"output": {"layers": ALL_LAYERS, "probabilities_dtype": "float16", "min_confidence": 0.4}},
    ),
    (
        ("onnx", "unet.onnx", "Zarr v2, all four layers, no overviews"),
        {"output": {"zarr_format": 2, "layers": ALL_LAYERS, "pyramid": False}},
    ),
    (
        ("python", "gated.pt", "tiles blended by hann; a transform of pixels"),
        {
            "model": {
                "factory": "FOLDER/gated.py:network",
                "input": {"size": 96, "mean": 5, "transform": "FOLDER/gated.py:logarithm"},
            },
            "tile": {"overlap": 0.5, "taper": "hann"},
        },
    ),
    (
        ("classifier", "lenet.pt", "test-time augmentation by flips, threads"),
        {
            "model": {
                "factory": LENET,
                "args": {"classes": 4, "bands": 3},
                "input": {"mean": 500, "std": 200, "size": 32},
            },
            "tile": {"augment": "flips"},
            "execution": THREADS,
        },
    ),
    (
        ("smp", "smp.pt", "tiles blended by gaussian, dihedral augmentation"),
        {
            "model": {"arch": "Unet", "args": ARGUMENTS["smp"]},
            "tile": {"size": 96, "overlap": 0.25, "taper": "gaussian", "augment": "dihedral"},
        },
    ),
    (
        ("transformers", "transformers.pt", "attention, tiles blended by linear"),
        {
            "model": {"arch": SEGFORMER, "args": ARGUMENTS["transformers"]},
            "tile": {"size": 96, "overlap": 0.25, "taper": "linear"},
        },
    ),
]
"""Positional arguments of `job`, and sections of the config; FOLDER stands for the folder of the inputs."""
