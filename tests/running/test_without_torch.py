"""A network that was seen before runs without torch, where another library computes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests import networks, scenes
from tests.models.onnx_files import to_onnx

REFUSAL = """
import sys


class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise RuntimeError("torch is imported")


sys.meta_path.insert(0, Refusal())
"""
"""Of a ``sitecustomize`` module, which every Python imports at its start, workers too."""
pytestmark = pytest.mark.slow


def job(folder: Path, kind: str, runtime: str) -> Path:
    path = folder / f"network.{kind}"
    make = scenes.script if kind == "torchscript" else to_onnx
    make(networks.lively(networks.UNet()), path)
    model = {"kind": kind, "path": str(path)}
    output = {"layers": ["mask", "confidence"]}
    return scenes.config(folder, model=model, output=output, execution={"runtime": runtime, "device": "cpu"})


def run(config: Path, *more: str, refused: bool) -> subprocess.CompletedProcess[str]:
    folder = config.parent
    (folder / "refusal").mkdir(exist_ok=True)
    (folder / "refusal" / "sitecustomize.py").write_text(REFUSAL)
    places = [*([str(folder / "refusal")] if refused else []), str(Path(__file__).parents[2])]
    environment = {
        **os.environ,
        "WHOLECLOTH_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(places),
    }
    command = [sys.executable, "-W", "ignore", "-m", "pipeline", "run", str(config), *more]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def layers(folder: Path) -> list[np.ndarray]:
    (store,) = folder.glob("**/*.zarr")
    root = zarr.open_group(store, mode="r")
    return [np.asarray(root[f"0/{name}"][:]) for name in ("mask", "confidence")]


@pytest.mark.parametrize(
    ("kind", "runtime", "engine"),
    [("onnx", "auto", "threads"), ("torchscript", "openvino", "threads"), ("onnx", "openvino", "processes")],
)
def test_a_network_that_was_seen_runs_where_torch_cannot_be_imported(
    tmp_path: Path, kind: str, runtime: str, engine: str
) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    config = job(tmp_path, kind, runtime)
    first = run(config, refused=False)
    assert first.returncode == 0, first.stderr
    expected = layers(tmp_path)
    again = run(config, "--fresh", "--set", f"execution.engine={engine}", refused=True)
    assert again.returncode == 0, again.stderr
    for values, of_first in zip(layers(tmp_path), expected, strict=True):
        assert np.array_equal(values, of_first)


def test_what_was_not_seen_asks_for_torch(tmp_path: Path) -> None:
    config = job(tmp_path, "onnx", "auto")
    asked = run(config, refused=True)
    assert (asked.returncode, "torch is imported" in asked.stderr) == (70, True)
