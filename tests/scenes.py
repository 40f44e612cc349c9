"""Rasters whose pixels say where they are, networks on disk, and configs over both."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
import yaml
from rasterio.transform import from_origin

from tests import networks

CLASSES = [
    {"name": name, "color": color}
    for name, color in zip("abcd", ("#1b9e77", "#d95f02", "#7570b3", "#e7298a"), strict=True)
]


def position(height: int, width: int, bands: int = 3) -> np.ndarray:
    """(bands, rows, cols) uint16: row, column and their mixture, none 0, so that a misplaced window shows itself."""
    rows, cols = np.mgrid[:height, :width]
    return np.stack([1 + rows % 997, 1 + cols % 991, 1 + (7 * rows + 13 * cols) % 1009, 1 + rows % 7][:bands]).astype(
        "uint16"
    )


def write(path: Path, data: np.ndarray, **profile: Any) -> Path:
    said = {"driver": "GTiff", "crs": "EPSG:32633", "transform": from_origin(500_000, 4_600_000, 10, 10), **profile}
    with rasterio.open(
        path, "w", count=data.shape[0], height=data.shape[1], width=data.shape[2], dtype=data.dtype, **said
    ) as out:
        out.write(data)
    return path


def scene(path: Path, height: int = 300, width: int = 420, seed: int = 0) -> Path:
    """Smooth structure, noise, and a hole of nodata (0)."""
    path.write_bytes(_scene(height, width, seed))
    return path


@cache
def _scene(height: int, width: int, seed: int) -> bytes:
    """The file, made once per process: a third of what a small job takes."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width]
    waves = np.stack([np.sin(rows / (11 + 4 * b)) + np.cos(cols / (9 + 3 * b)) for b in range(3)])
    data = np.clip(500 + 150 * waves + rng.normal(0, 60, waves.shape), 1, 1000).astype("uint16")
    data[:, height // 2 : height // 2 + 40, width // 3 : width // 3 + 70] = 0
    with tempfile.TemporaryDirectory() as folder:
        file = write(
            Path(folder) / "scene.tif", data, nodata=0, tiled=True, blockxsize=64, blockysize=64, compress="deflate"
        )
        return file.read_bytes()


def script(network: torch.nn.Module, path: Path) -> Path:
    torch.jit.script(network.eval()).save(str(path))
    return path


def unet(folder: Path) -> Path:
    """A small U-Net, the same in every folder."""
    path = folder / "unet.pt"
    if not path.exists():
        path.write_bytes(_unet())
    return path


@cache
def _unet() -> bytes:
    """The file, made once per process."""
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(0)
        return script(networks.lively(networks.UNet()), Path(folder) / "unet.pt").read_bytes()


def config(folder: Path, name: str = "job", **sections: dict[str, Any]) -> Path:
    """A job on a small scene with a small U-Net; sections are merged over it."""
    raster = folder / "scene.tif"
    if not raster.exists():
        scene(raster)
    said: dict[str, Any] = {
        "source": {"path": str(raster)},
        "model": {
            "kind": "torchscript",
            "path": str(unet(folder)),
            "classes": CLASSES,
            "input": {"mean": 500, "std": 200},
        },
        "output": {"path": str(folder / f"{name}.zarr"), "chunk": 64, "block": 128, "exports": [], "report": False},
        "execution": {"device": "cpu", "engine": "serial"},
    }
    for key, values in sections.items():
        said[key] = {**said.get(key, {}), **values}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def read(path: Path) -> np.ndarray:
    """(bands, rows, cols) float32."""
    with rasterio.open(path) as src:
        return src.read().astype("float32")


def whole(folder: Path, nodata: int = 255) -> np.ndarray:
    """One forward pass over the whole raster: the mask that every run must equal."""
    raw = read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]
    height, width = valid.shape
    padded = torch.nn.functional.pad(x, (0, -width % 4, 0, -height % 4))
    with torch.no_grad():
        logits = torch.jit.load(str(folder / "unet.pt"))(padded)[0, :, :height, :width]
    return np.where(valid, logits.argmax(0).numpy(), nodata).astype("uint8")
