"""Make the archives anew, with the public command of the release whose stores must stay usable.

    git worktree add OLD REVISION
    python -m tests.stores_of_before.make OLD

Archives are made once, at a release, and are not made anew when the code changes: that they stay usable is what
`tests/test_stores_of_before.py` shows. The names of modules in here are those that users have in their configs and
files. They stay as they are, whatever the modules are called.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
import zarr
from torch import nn

from tests import scenes
from tests.stores_of_before import MODIFIED_S, PLACE, exclusive, pack

LENET = "pipeline.networks.classifiers:lenet"
USERS = '''"""A network as users write it: parts of it are imported from the package."""
import torch
from pipeline.networks.fcn8s import FCN8s
from pipeline.networks.upsample import bilinear


class Halved(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.head = torch.nn.Conv2d(3, 6, 5, stride=2, padding=2), torch.nn.Conv2d(6, 4, 3, padding=1)
        self.up = bilinear(4, 2)

    def forward(self, x):
        return self.up(self.head(torch.relu(self.down(x))))


def network(classic=False):
    return FCN8s(3, 4, width=4) if classic else Halved()
'''
FCN8S = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 1, "fc_width": 8, "norm": False}
MODELS: dict[str, dict[str, Any]] = {
    "classifier": {"kind": "classifier", "factory": LENET, "args": {"classes": 4, "bands": 3}, "input": {"size": 32}},
    "factory": {"kind": "python", "factory": "users.py:network"},
    "fcn8s": {"kind": "fcn8s", "args": FCN8S},
}
TILES = {"classifier": 128, "factory": 80, "fcn8s": 384}
"""px."""
LAST = {"classifier": "11.bias", "factory": "head.bias", "fcn8s": "score.bias"}
"""Parameter that is added to the logits."""
TIES = torch.arange(4) * 2.0**-12
"""Added to the logits of each class."""
BLOCKS = 12
LEDGER = "0/mask/ledger/*/*.json"


def main(tree: Path) -> None:
    """Write all archives."""
    sys.path.insert(0, str(tree))
    with exclusive():
        for name in MODELS:
            folder = PLACE / name
            folder.mkdir()
            config = write_inputs(folder, name)
            write_expected(tree, config)
            ENDS[name](tree, config)
            for sidecar in (path for path in folder.glob("job.*") if path.suffix not in (".yaml", ".zarr")):
                sidecar.unlink()
            pack(folder)


def write_expected(tree: Path, config: Path) -> None:
    """The mask of a run that nothing stops."""
    with tempfile.TemporaryDirectory() as folder:
        run(tree, config, "--out", f"{folder}/expected.zarr")
        mask = zarr.open_array(f"{folder}/expected.zarr/0/mask", mode="r")[:]
    print(
        config.parent.name,
        "pixels of each code:",
        dict(zip(*(row.tolist() for row in np.unique(mask, return_counts=True)), strict=True)),
    )
    np.savez_compressed(config.parent / "expected.npz", mask=mask)


def write_inputs(folder: Path, name: str) -> Path:
    """The raster, the network and the config."""
    scenes.write(folder / "scene.tif", pixels(), nodata=0, tiled=True, blockxsize=64, blockysize=64)
    os.utime(folder / "scene.tif", (MODIFIED_S, MODIFIED_S))
    torch.save(balanced(ternary(NETWORKS[name]()), name).state_dict(), folder / "weights.pt")
    if name == "factory":
        (folder / "users.py").write_text(USERS)
    config = {
        "source": {"path": "scene.tif"},
        "model": {
            "path": "weights.pt",
            "classes": scenes.CLASSES,
            **MODELS[name],
            "input": {"mean": 8, "std": 4, **MODELS[name].get("input", {})},
        },
        "tile": {"size": TILES[name]},
        "output": {"path": "job.zarr", "chunk": 32, "block": 64},
        "execution": {"device": "cpu", "engine": "serial", "memory": "4GiB"},
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder / "job.yaml"


def pixels() -> np.ndarray:
    """(3, 150, 200) uint8 of 1 to 15, with a hole of nodata (0)."""
    rows, cols = np.mgrid[:150, :200]
    waves = np.stack([np.sin(rows / (9 + 4 * band)) + np.cos(cols / (7 + 3 * band)) for band in range(3)])
    data = np.clip(8 + 4 * waves, 1, 15).astype("uint8")
    data[:, 60:90, 90:120] = 0
    return data


def network_of(place: str, **arguments: Any) -> nn.Module:
    """What a factory of the package returns."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)(**arguments)


def of_user() -> nn.Module:
    """What the factory of the user's file returns."""
    names: dict[str, Any] = {}
    exec(compile(USERS, "users.py", "exec"), names)
    return names["network"]()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "classifier": lambda: network_of(LENET, classes=4, bands=3),
    "factory": of_user,
    "fcn8s": lambda: network_of("pipeline.networks.fcn8s:FCN8s", **FCN8S),
}


def ternary(network: nn.Module) -> nn.Module:
    """Weights of −1, 0 and 1, some six other than 0 for each output, and no biases; interpolation stays."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if tensor.ndim == 1:
                tensor.zero_()
            elif not name.startswith("up"):
                signs = torch.where(torch.rand(tensor.shape, generator=generator) < 0.5, -1.0, 1.0)
                tensor.copy_(signs * (torch.rand(tensor.shape, generator=generator) < 6 / tensor[0].numel()))
    return network.eval()


def balanced(network: nn.Module, name: str) -> nn.Module:
    """Biases of the last layer by which every class has pixels and no two classes tie.

    Logits are whole multiples of 2⁻⁶, and biases are not.
    """
    image = torch.from_numpy((pixels() - 8.0) / 4).float()[None]
    if name == "classifier":
        image = image.unfold(2, 32, 4).unfold(3, 32, 4).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 32, 32)
    with torch.no_grad():
        logits = network(image).transpose(0, 1).flatten(1)
        dict(network.named_parameters())[LAST[name]].copy_(-logits.median(1).values.round() + TIES)
    return network


def run(tree: Path, config: Path, *options: str) -> None:
    """The public command of the tree, to its end."""
    subprocess.run(command(config, *options), cwd=tree, env=environment(tree, config), check=True)


def one_shard(tree: Path, config: Path) -> None:
    """The store after the first of two tasks of a job array."""
    run(tree, config, "--shard", "1/2")


def stopped(tree: Path, config: Path) -> None:
    """The store after a run that was told to stop after its first block."""
    store = config.parent / "job.zarr"
    for _ in range(20):
        shutil.rmtree(store, ignore_errors=True)
        with subprocess.Popen(command(config), cwd=tree, env=environment(tree, config)) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline and not any(store.glob(LEDGER)):
                time.sleep(0.001)
            process.send_signal(signal.SIGTERM)
        if process.returncode == 75 and 0 < sum(1 for _ in store.glob(LEDGER)) < BLOCKS:
            return
    raise RuntimeError("the run always ended before the signal came; give it more blocks")


ENDS: dict[str, Callable[[Path, Path], None]] = {"classifier": one_shard, "factory": stopped, "fcn8s": run}
"""How the run of a store ended."""


def command(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "run", str(config), *options]


def environment(tree: Path, config: Path) -> dict[str, str]:
    """Variables of the command.

    What it measures of the network is kept beside the config, which spares the tests seconds.
    """
    return {**os.environ, "PYTHONPATH": str(tree), "WHOLECLOTH_CACHE": str(config.parent / "cache")}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
