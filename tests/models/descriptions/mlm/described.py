"""Models that are described by MLM, made on the spot: archives of programs with their metadata, and items of STAC."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from torch import nn
from torch.export import Dim

from tests import networks, scenes
from tests.models.onnx_files import to_onnx

METADATA = "extra/mlm-metadata"
"""Where an archive has its description."""
SIDE = 32
"""Of the image that networks are exported with, px."""
BANDS = ["red", "green", "nir"]
CLASSES = [{"value": 0, "name": "soil", "color_hint": "A6611A"}, {"value": 1, "name": "field", "color_hint": "018571"}]
NORMALISED = [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in ((400, 200), (500, 300), (600, 100))]
FILES = {"torchscript": "weights.pt", "onnx": "weights.onnx", "exported": "weights.pt2", "saved": "weights.pth"}
ARTIFACTS = {
    "torchscript": "torch.jit.script",
    "onnx": "onnx",
    "exported": "torch.export.save",
    "saved": "torch.save",
}


def network(channels: int = 2) -> nn.Module:
    """3 bands to logits, by 3×3 convolutions: radius 2."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return networks.Twice(3, channels).eval()


def properties(channels: int = 2, **changes: Any) -> dict[str, Any]:
    """What is stated of the network, without prefixes."""
    image = {
        "name": "scene",
        "bands": BANDS,
        "input": {
            "shape": [-1, 3, -1, -1],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": NORMALISED,
    }
    answer = {
        "name": "scores",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, channels, -1, -1],
            "dim_order": ["batch", "classes", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": CLASSES,
    }
    stated = {"name": "fields", "architecture": "Twice", "tasks": ["semantic-segmentation"], "framework": "PyTorch"}
    image |= changes.pop("image", {})
    answer |= changes.pop("answer", {})
    return {**stated, "input": [image], "output": [answer], **changes}


def program(module: nn.Module, axes: tuple[int, ...] = (2, 3)) -> Any:
    """The module exported for sizes that vary along these axes."""
    sizes = {2: Dim("rows", min=8, max=4096), 3: Dim("cols", min=8, max=4096)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = torch.zeros(1, 3, SIDE, SIDE)
        return torch.export.export(module.eval(), (image,), dynamic_shapes=({axis: sizes[axis] for axis in axes},))


@cache
def _programs(channels: int) -> bytes:
    """An archive of the network, made once per process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.pt2"
        torch.export.save(program(network(channels)), path)
        return path.read_bytes()


def archive(path: Path, document: Any = None, channels: int = 2, transforms: nn.Module | None = None) -> Path:
    """A ``.pt2`` with metadata, which is YAML as others write it; with a program for the pixels where one is given."""
    document = {"properties": properties(channels)} if document is None else document
    if transforms is None:
        path.write_bytes(_programs(channels))
    else:
        from torch.export.pt2_archive._package import package_pt2

        package_pt2(path, exported_programs={"model": program(network(channels)), "transforms": program(transforms)})
    with zipfile.ZipFile(path, "a") as file:
        root = file.namelist()[0].partition("/")[0]
        file.writestr(f"{root}/{METADATA}", document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def weights_file(path: Path, kind: str, channels: int = 2) -> Path:
    if kind == "exported":
        path.write_bytes(_programs(channels))
    elif kind == "onnx":
        to_onnx(network(channels), path, (1, 3, SIDE, SIDE))
    elif kind == "torchscript":
        scenes.script(network(channels), path)
    else:
        torch.save(network(channels).state_dict(), path)
    return path


def asset(kind: str, **changes: Any) -> dict[str, Any]:
    return {"href": f"./{FILES[kind]}", "roles": ["mlm:model"], "mlm:artifact_type": ARTIFACTS[kind], **changes}


def item(folder: Path, kinds: tuple[str, ...] = ("torchscript",), channels: int = 2, **changes: Any) -> Path:
    """A STAC item beside its files; ``assets`` and ``item`` of ``changes`` take the place of others."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        weights_file(folder / FILES[kind], kind, channels)
    assets = changes.pop("assets", {kind: asset(kind) for kind in kinds})
    section = {f"mlm:{key}": value for key, value in properties(channels, **changes.pop("stated", {})).items()}
    bands = [{"name": name, "gsd": 10} for name in BANDS]
    document = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": ["https://stac-extensions.github.io/mlm/v1.4.0/schema.json"],
        "id": "fields",
        "properties": {"datetime": "2024-01-01T00:00:00Z", "bands": bands, **section},
        "assets": assets,
        **changes,
    }
    path = folder / "fields.json"
    path.write_text(json.dumps(document))
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with each file as ``change`` makes it of name and bytes; None leaves a file out."""
    with zipfile.ZipFile(path) as before:
        files = {name: change(name, before.read(name)) for name in before.namelist()}
    with zipfile.ZipFile(path, "w") as after:
        for name, content in files.items():
            if content is not None:
                after.writestr(name, content)
    return path


def added(path: Path, name: str, content: bytes) -> Path:
    """The archive with one more file."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)
    return path
