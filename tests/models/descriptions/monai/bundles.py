"""Bundles as MONAI has them, made on the spot: metadata, a config of inference, weights."""

from __future__ import annotations

import copy
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from tests import networks, scenes

WEIGHTS = {"torchscript": "model.ts", "python": "model.pt"}
STEPS: list[dict[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "image", "image_only": False},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "ScaleIntensityRanged", "keys": "@image_key", "a_min": 0.0, "a_max": 1000.0, "b_min": -1, "b_max": 1},
    {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
]
AFTER: list[dict[str, Any]] = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    {"_target_": "SaveImaged", "keys": "pred", "output_dir": "$@bundle_root + '/eval'"},
]
NETWORK = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 3, "out_channels": "@classes", "channels": [4, 8]}


def network(channels: int = 2) -> nn.Module:
    """3 bands to logits, by 3×3 convolutions: radius 2."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return networks.Twice(3, channels).eval()


@cache
def _weights(kind: str, channels: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS[kind]
        if kind == "torchscript":
            scenes.script(network(channels), path)
        else:
            torch.save(network(channels).state_dict(), path)
        return path.read_bytes()


def metadata(**changes: Any) -> dict[str, Any]:
    """Of a network of 3 bands and 2 classes."""
    image = {"type": "image", "format": "magnitude", "num_channels": 3, "spatial_shape": ["16*n", "16*n"]}
    scores = {"type": "image", "format": "segmentation", "num_channels": 2, "spatial_shape": ["16*n", "16*n"]}
    names = {"channel_def": {"0": "background", "1": "tool"}}
    channels = {"channel_def": {"0": "R", "1": "G", "2": "B"}}
    tensors = {"inputs": {"image": {**image, **channels}}, "outputs": {"pred": {**scores, **names}}}
    document = {"version": "0.2.0", "monai_version": "1.4.0", "name": "tools of a test", "network_data_format": tensors}
    return {**document, **changes}


def inference(**changes: Any) -> dict[str, Any]:
    """A config as those of the model zoo are: what decides nothing here is full of expressions."""
    return {
        "imports": ["$import glob"],
        "bundle_root": ".",
        "image_key": "image",
        "classes": 2,
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$list(sorted(glob.glob(@bundle_root + '/*.png')))",
        "network_def": copy.deepcopy(NETWORK),
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": copy.deepcopy(STEPS)},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [96, 96], "overlap": 0.5},
        "postprocessing": {"_target_": "Compose", "transforms": copy.deepcopy(AFTER)},
        **changes,
    }


def bundle(
    folder: Path,
    *,
    weights: tuple[str, ...] = ("torchscript",),
    channels: int = 2,
    about: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Path:
    """A folder with ``configs`` and ``models``; an empty config writes none."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    for kind in weights:
        (folder / "models" / WEIGHTS[kind]).write_bytes(_weights(kind, channels))
    (folder / "configs/metadata.json").write_text(json.dumps(metadata() if about is None else about))
    config = inference() if config is None else config
    if config:
        (folder / "configs/inference.json").write_text(json.dumps(config))
    return folder


def tensor(place: str, **changes: Any) -> dict[str, Any]:
    """Metadata with a tensor that is otherwise; a value of None leaves the key out."""
    document = metadata()
    part, name = place.split(".")
    entry = {**document["network_data_format"][part][name], **changes}
    document["network_data_format"][part][name] = {key: value for key, value in entry.items() if value is not None}
    return document


def steps(*before: dict[str, Any]) -> dict[str, Any]:
    """A config with other steps before the network."""
    return inference(preprocessing=[{"keys": "image", **step} for step in before])


def after(*following: dict[str, Any]) -> dict[str, Any]:
    """A config with other steps after the network."""
    return inference(
        postprocessing={"_target_": "Compose", "transforms": [{"keys": "pred", **one} for one in following]}
    )


def zipped(folder: Path) -> Path:
    """As the model zoo publishes a bundle: one folder at the top."""
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))
