"""Networks of two inputs in every form, and rasters for both: an image and the height of its ground."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from tests import networks, scenes

HEIGHT, WIDTH = 150, 180
NO_HEIGHT = -9999.0
CODE = "from tests.pairs import ImageAndHeight, Mapped, Mirrored\n"
"""Of a factory."""


class ImageAndHeight(nn.Module):
    """Sees 1 px around a pixel of the image, and the pixel alone of the height."""

    def __init__(self, bands: int = 3) -> None:
        super().__init__()
        self.near, self.norm, self.here = networks.conv(bands, 8), nn.BatchNorm2d(8), nn.Conv2d(1, 8, 1)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, image: torch.Tensor, height: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.near(image)) * self.here(height)))


class Mapped(ImageAndHeight):
    """The same, that takes both in one mapping."""

    def forward(self, images: dict[str, torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        return super().forward(images["image"], images["height"])


class Mirrored(ImageAndHeight):
    """The same with its inputs in the other order, and one that it can do without."""

    def forward(  # type: ignore[override]
        self, height: torch.Tensor, image: torch.Tensor, snow: torch.Tensor | None = None
    ) -> torch.Tensor:
        return super().forward(image, height)


def lively(kind: type[ImageAndHeight] = ImageAndHeight) -> ImageAndHeight:
    """Weights drawn once, with a norm that changes what it is given."""
    torch.manual_seed(3)
    network = kind().eval()
    network.norm.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr,operator]
    network.norm.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr,operator]
    return network


def sections(folder: Path) -> dict[str, Any]:
    """``model.inputs``: an image of three bands of uint16, and a height of one band of float32; both have holes."""
    image, height = folder / "image.tif", folder / "height.tif"
    if not image.exists():
        scenes.scene(image, HEIGHT, WIDTH)
        ground = np.random.default_rng(5).normal(100, 40, (1, HEIGHT, WIDTH)).astype("float32")
        ground[:, 100:120, 20:60] = NO_HEIGHT
        scenes.write(height, ground, nodata=NO_HEIGHT)
    return {
        "image": {"path": str(image), "input": {"mean": 500, "std": 200}},
        "height": {"path": str(height), "input": {"mean": [100], "std": 40}},
    }


def whole(folder: Path, network: nn.Module) -> np.ndarray:
    """One forward pass over both rasters: the mask that every run must equal."""
    image, height = scenes.read(folder / "image.tif"), scenes.read(folder / "height.tif")
    valid = (image != 0).any(0) & (height[0] != NO_HEIGHT)
    images = [torch.from_numpy((image - 500) / 200 * valid)[None], torch.from_numpy((height - 100) / 40 * valid)[None]]
    with torch.no_grad():
        return np.where(valid, network(*images)[0].argmax(0).numpy(), 255).astype("uint8")


def scripted(folder: Path) -> dict[str, Any]:
    return {"kind": "torchscript", "path": str(scenes.script(lively(), folder / "pair.pt"))}


def exported(folder: Path) -> dict[str, Any]:
    axes = {2: torch.export.Dim("rows", min=4, max=4096), 3: torch.export.Dim("cols", min=4, max=4096)}
    with warnings.catch_warnings(), (folder / "pair.pt2").open("wb") as file:
        warnings.simplefilter("ignore")
        shapes = {"image": axes, "height": axes}
        program = torch.export.export(lively(), _example(), dynamic_shapes=shapes)
        torch.export.save(program, file)
    return {"kind": "exported", "path": str(folder / "pair.pt2")}


def as_onnx(folder: Path) -> dict[str, Any]:
    axes = {name: {0: "n", 2: "rows", 3: "cols"} for name in ("image", "height", "y")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            lively(),
            _example(),
            str(folder / "pair.onnx"),
            dynamo=False,
            input_names=["image", "height"],
            output_names=["y"],
            dynamic_axes=axes,
            opset_version=18,
        )
    return {"kind": "onnx", "path": str(folder / "pair.onnx")}


def as_code(folder: Path, name: str = "ImageAndHeight") -> dict[str, Any]:
    (folder / "pair.py").write_text(CODE)
    torch.save(lively().state_dict(), folder / "pair.pth")
    return {"kind": "python", "path": str(folder / "pair.pth"), "factory": f"{folder / 'pair.py'}:{name}"}


FORMS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "torchscript": scripted,
    "exported": exported,
    "onnx": as_onnx,
    "python": as_code,
}


def config(folder: Path, model: dict[str, Any], name: str = "job", **more: Any) -> Path:
    """A job over both rasters, with keys of ``model`` merged over the network's."""
    job = scenes.config(folder, name, **more)
    document = yaml.safe_load(job.read_text())
    document["model"] = {"classes": scenes.CLASSES, "inputs": sections(folder), **model}
    if "source" not in more:
        del document["source"]
    job.write_text(yaml.safe_dump(document, sort_keys=False))
    return job


def _example() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
