"""The inputs that both checkouts get: a raster, an area, networks in every form, and code of a user."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.classifiers import lenet
from pipeline.models.weights import ModelMeta, save
from tests import networks, scenes

MODIFIED_S = 1_700_000_000
"""Time of all files: a store remembers when its source was written."""
_FCN = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "fcn32s": _FCN,
    "fcn16s": {**_FCN, "norm": False},
    "fcn8s": _FCN,
    "fcn": {"bands": 3, "classes": 4, "width": 4, "output_stride": 2},
    "deconvnet": {"bands": 3, "classes": 4, "width": 4},
    "resnet_fcn": {"bands": 3, "classes": 4, "width": 4},
    "transformers": {
        "num_labels": 4,
        "hidden_sizes": [8, 16, 24, 32],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 4],
        "decoder_hidden_size": 16,
    },
    "smp": {"encoder_name": "resnet18", "encoder_weights": None, "in_channels": 3, "classes": 4},
}
"""Hyperparameters, by the kind of network."""
SEGFORMER = "SegformerForSemanticSegmentation"
GATED = '''"""A network that is not local, and a change of pixels, as users write them."""
import torch
from pipeline.networks.upsample import bilinear


class Gated(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.gate = torch.nn.Conv2d(3, 6, 3, stride=2, padding=1), torch.nn.Conv2d(6, 6, 1)
        self.head, self.up = torch.nn.Conv2d(6, 4, 1), bilinear(4, 2)

    def forward(self, x):
        x = self.body(x)
        return self.up(self.head(x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))))


def network():
    return Gated()


def logarithm(x):
    return torch.log(x.clamp(min=1))
'''
"""The import stays as users have it, whatever the module is called."""
CORNERS = [
    (500_200, 4_599_700),
    (503_100, 4_599_600),
    (502_600, 4_599_100),
    (501_300, 4_597_900),
    (500_400, 4_598_300),
    (500_200, 4_599_700),
]
"""Of the area of interest, in EPSG:32633."""


def make_inputs(folder: Path) -> None:
    """Write all inputs into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    scenes.scene(folder / "scene.tif", 230, 330)
    (folder / "area.geojson").write_text(json.dumps(area()))
    for kind in NETWORKS:
        meta = ModelMeta(kind=kind, args=ARGUMENTS[kind])
        save(folder / f"{kind}.safetensors", networks.lively(NETWORKS[kind](**ARGUMENTS[kind])), meta)
    write_foreign(folder)
    write_code(folder)
    for file in folder.iterdir():
        os.utime(file, (MODIFIED_S, MODIFIED_S))


def write_foreign(folder: Path) -> None:
    """A small U-Net as TorchScript, as an exported program and as ONNX."""
    from tests.models.onnx_files import to_onnx

    unet = networks.lively(networks.UNet())
    scenes.script(unet, folder / "unet.pt")
    rows, cols = torch.export.Dim("rows", min=2, max=64), torch.export.Dim("cols", min=2, max=64)
    networks.export(unet, folder / "unet.pt2", (1, 3, 96, 128), {2: 4 * rows, 3: 4 * cols})
    to_onnx(unet, folder / "unet.onnx", (1, 3, 64, 96))


def write_code(folder: Path) -> None:
    """Networks that a factory or a library makes, and their weights."""
    (folder / "gated.py").write_text(GATED)
    names: dict[str, Any] = {}
    exec(compile(GATED, "gated.py", "exec"), names)  # noqa: S102  # our own text, as a user's file
    torch.save(names["network"]().state_dict(), folder / "gated.pt")
    torch.save(lenet(4, 3).state_dict(), folder / "lenet.pt")
    if importlib.util.find_spec("segmentation_models_pytorch") is not None:
        import segmentation_models_pytorch as smp

        torch.save(networks.lively(smp.Unet(**ARGUMENTS["smp"])).state_dict(), folder / "smp.pt")
    if importlib.util.find_spec("transformers") is not None:
        import transformers

        segformer = getattr(transformers, SEGFORMER)
        configuration = segformer.config_class(**ARGUMENTS["transformers"])
        torch.save(networks.lively(segformer(configuration)).state_dict(), folder / "transformers.pt")


def area() -> dict[str, Any]:
    """A polygon with a winding outline, as GeoJSON."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [CORNERS]}}
    return {"type": "FeatureCollection", "crs": crs, "features": [feature]}


def pack(folder: Path, archive: Path) -> None:
    """Keep the inputs beside checksums: another release of a library may write other bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            packed.write(file, file.name)


def unpack(archive: Path, folder: Path) -> None:
    """The inputs as they were, with their times."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    for file in folder.iterdir():
        os.utime(file, (MODIFIED_S, MODIFIED_S))
