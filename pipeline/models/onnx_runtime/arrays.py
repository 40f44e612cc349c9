"""An ONNX network on arrays: onnxruntime alone, without torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.cropping.regions import Regions
from pipeline.models.onnx_runtime.session import open_session
from pipeline.runtime import resources

OUT_OF_MEMORY_MESSAGES = ("bad_alloc", "Failed to allocate memory", "out of memory", "OOM")
FED_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
"""What is fed, by onnxruntime's name of its type."""

_opening = threading.Lock()


class OnnxSession:
    """The session of a file, opened with so many threads, and anew when that number changes.

    Parameters
    ----------
    path
        Of the file.
    output
        Name of the output that is taken.
    providers
        What onnxruntime runs it on.
    """

    def __init__(self, path: Path, output: str, providers: Sequence[Any] = ("CPUExecutionProvider",)) -> None:
        self.path, self.output, self._providers = path, output, providers
        self._opened: tuple[int, Any] | None = None

    def with_threads(self, threads: int) -> Any:
        """``onnxruntime.InferenceSession`` with so many threads."""
        with _opening:  # tiles that are computed at once ask at once
            if self._opened is None or self._opened[0] != threads:
                self._opened = None  # before the next one takes its memory
                self._opened = threads, open_session(str(self.path), threads, self._providers)
            return self._opened[1]

    def run(self, image: npt.NDArray[np.float32], threads: int, regions: Regions | None = None) -> npt.NDArray[Any]:
        """(batch, bands, rows, cols) → what the network of one input returns, in its own dtype; on the CPU.

        Raises
        ------
        MemoryError
            There is no memory for it.
        """
        assert regions is None, "onnxruntime takes tiles as they are"
        session = self.with_threads(threads)
        (image_input,) = session.get_inputs()
        given = image.astype(FED_DTYPES[image_input.type], copy=False)
        try:
            (returned,) = session.run([self.output], {image_input.name: given})
        except Exception as error:  # onnxruntime raises whatever its operators raise
            if ran_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise
        finally:
            resources.trim_heap()  # arrays below 32 MiB would stay in heaps of their own
        return np.asarray(returned)


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an error of onnxruntime says that memory ran out."""
    return any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES)
