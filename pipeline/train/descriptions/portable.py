"""The trained network as a file that other programs load: TorchScript, which was seen to return the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipeline.models.native import build_native
from pipeline.models.weights import load_into
from pipeline.models.weights.file_type import first_line
from pipeline.train.descriptions.trained_model import TrainedModel

SIZE_STEP = 32
"""Sizes of images that are described are multiples of this, px: the coarsest stride of a network of ours."""
LARGEST_SIDE = 128
"""Of the test image, px."""
IMAGE_SEED = 0
TO_PROBABILITIES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda logits: logits.softmax(1),
    "sigmoid": torch.sigmoid,
    "none": lambda logits: logits,
}
PORTABLE_TOLERANCE = 1e-5
"""By which the two may differ, of the largest logit."""


class NotPortable(Exception):
    """The network cannot be written so; the message says why."""


def write_torchscript(model: TrainedModel, weights: Path, path: Path) -> torch.jit.ScriptModule:
    """Write the network, read it again, and compare what both return for made-up images.

    Returns
    -------
    torch.jit.ScriptModule
        As it was read again.

    Raises
    ------
    NotPortable
        Torch cannot script it, or what was written returns something else, or another size.
    """
    network = build_native(model.meta.kind, model.meta.args)
    load_into(network, weights, unused=getattr(network, "unused", ()))
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of TorchScript at each call
        try:
            torch.jit.script(network).save(str(path))
            scripted: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")
        except Exception as error:  # its compiler raises whatever the code makes it raise
            raise NotPortable(f"torch cannot write it as TorchScript ({first_line(error)})") from error
        _require_equal(network, scripted, model)
    return scripted


def image_side(model: TrainedModel) -> int:
    """Rows and cols of the test image, px."""
    return SIZE_STEP * max(1, min(model.window, LARGEST_SIDE) // SIZE_STEP)


def made_up_image(model: TrainedModel, height: int, width: int) -> npt.NDArray[np.float32]:
    """(1, bands, rows, cols) raw values as far around the mean as those of the training, drawn at random.

    No pixel of a scene stands in a description.
    """
    normal = np.random.default_rng(IMAGE_SEED).normal(0, 1, (1, model.bands, height, width))
    scale, offset, mean, std = (model.numbers(name)[:, None, None] for name in ("scale", "offset", "mean", "std"))
    return ((normal * std + mean - offset) / scale).astype(np.float32)


def normalised(model: TrainedModel, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the network is given for raw values."""
    scale, offset, mean, std = (model.numbers(name)[:, None, None] for name in ("scale", "offset", "mean", "std"))
    return ((image * scale + offset - mean) / std).astype(np.float32)


def described_probabilities(
    model: TrainedModel, scripted: torch.nn.Module, image: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """(1, channels, rows, cols) of raw values, after the activation."""
    logits = _run(scripted, torch.from_numpy(normalised(model, image)))
    return np.asarray(TO_PROBABILITIES[model.activation](logits).numpy())


def _run(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        returned = network(image)
    if not isinstance(returned, torch.Tensor):
        raise NotPortable(f"it returns {type(returned).__name__}, and not one tensor")
    return returned


def _require_equal(network: torch.nn.Module, scripted: torch.nn.Module, model: TrainedModel) -> None:
    side = image_side(model)
    for height, width in ((side, side), (side, side + SIZE_STEP)):
        image = torch.from_numpy(normalised(model, made_up_image(model, height, width)))
        expected, actual = _run(network, image), _run(scripted, image)
        if actual.shape != expected.shape or actual.shape[2:] != image.shape[2:]:
            raise NotPortable(f"it returns {tuple(actual.shape)} for {tuple(image.shape)}")
        difference, largest = float((actual - expected).abs().max()), float(expected.abs().max())
        if not difference <= PORTABLE_TOLERANCE * max(largest, 1.0):  # NaN is no difference that is allowed
            raise NotPortable(f"TorchScript returns other numbers, by up to {difference:.2g}")
