"""Packages that are installed for a test alone: a folder of files and the list of what was installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tests.models.onnx_files import to_onnx


def list_files(site: Path, name: str, files: Sequence[str]) -> Path:
    """Write the list of a package into the folder of its files."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return site


def make_clouds(site: Path) -> Path:
    """A folder with a stand-in for ukis-csmask: one convolution that takes 256 × 256 px alone."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = torch.nn.Conv2d(4, 3, 3, padding=1)
    (site / "ukis_csmask").mkdir(parents=True)
    (site / "ukis_csmask" / "__init__.py").touch()
    to_onnx(network, site / "ukis_csmask" / "model_4b_l1c.onnx", (1, 4, 256, 256), fixed=True)
    return list_files(site, "ukis_csmask", ["ukis_csmask/__init__.py", "ukis_csmask/model_4b_l1c.onnx"])
