"""The test image of a model description: what the network makes of it against what the description says it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import ModelError
from pipeline.models.descriptions.description import ReferenceCase, ReferenceTensor, StepError, Tolerance
from pipeline.models.loaded import Loaded
from pipeline.models.output import pick
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.resources import human

BYTES_PER_NUMBER = 8
MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageComparison:
    """How a test image came out."""

    passed: bool | None
    """None where it was not compared."""
    text: str
    """The same for people."""
    largest_difference: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"passed": self.passed, "text": self.text, "largest_difference": self.largest_difference}


NO_REFERENCE_IMAGE = ImageComparison(passed=None, text="none: the description has no test image for this output")


def compare_images(
    case: ReferenceCase, network: Loaded, device: torch.device, bytes_per_pixel: float, room: int
) -> ImageComparison:
    """Run the test image by its own statistics, whatever the config and the raster are.

    Parameters
    ----------
    case
        The image, and what is expected.
    network
        As it was loaded of these weights.
    device
        On which the network is.
    bytes_per_pixel
        That the network takes, for each pixel of its input.
    room
        Bytes that there are.

    Raises
    ------
    ModelError
        A file of the test holds something else.
    """
    given, expected = _read(case.image, room), _read(case.expected, room)
    need = int(bytes_per_pixel * given.size / given.shape[1])
    if need > room:
        return ImageComparison(
            passed=None, text=f"not compared: it would take {human(need)}, and execution.memory allows {human(room)}"
        )
    try:
        normalised = case.image.process(given).astype(np.float32)
        with torch.inference_mode():
            returned = pick(network.module(torch.from_numpy(normalised).to(device)), network.key)
        actual = case.expected.process(returned.to("cpu", torch.float32).numpy())
    except StepError as error:
        return ImageComparison(passed=None, text=f"not compared: {error}")
    except Exception as error:  # whatever its layers raise
        return ImageComparison(passed=False, text=f"MISMATCH: the network fails on it: {first_line(error)}")
    return _compared(actual, expected.astype(np.float64), case.tolerance)


def _read(tensor: ReferenceTensor, room: int) -> npt.NDArray[Any]:
    """A file of numpy, of the axes of its tensor; nothing in it is executed."""
    try:
        array = np.load(tensor.path, mmap_mode="r", allow_pickle=False)
        if array.size * BYTES_PER_NUMBER > room:
            raise ValueError(f"it takes {human(array.size * BYTES_PER_NUMBER)}, more than execution.memory allows")
        values = np.array(array)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"The test image {tensor.path} cannot be read as a file of numpy: {first_line(error)}. Download the "
            f"package again."
        ) from error
    if values.ndim != len(tensor.letters) or values.dtype.kind not in "fiub" or not values.size:
        raise ModelError(
            f"The test image {tensor.path} holds {values.dtype} of shape {values.shape}, and {tensor.name} has the "
            f"axes {tensor.letters}. Download the package again."
        )
    return values


def _compared(
    actual: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], allowed: Tolerance
) -> ImageComparison:
    if actual.shape != expected.shape:
        return ImageComparison(
            passed=False, text=f"MISMATCH: the network returns {actual.shape}, and {expected.shape} is expected"
        )
    difference = np.abs(actual - expected)
    outside = ~(difference <= allowed.absolute + allowed.relative * np.abs(expected))  # NaN is outside
    share, largest = float(outside.mean()), float(np.max(difference))
    passed = share * MILLION <= allowed.mismatched
    limits = f"{allowed.absolute:g} + {allowed.relative:g} · |expected|"
    text = (
        f"as the description says: the largest difference is {largest:.2g}, and {limits} is allowed"
        if passed
        else f"MISMATCH: {share:.2%} of the numbers differ by more than {limits}, by up to {largest:.3g}. Either the "
        f"weights or what stands before and after them are not what was tested; ask who published the model"
    )
    return ImageComparison(passed=passed, text=text, largest_difference=largest if np.isfinite(largest) else None)
