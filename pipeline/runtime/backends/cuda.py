"""GPUs of CUDA, which compute in memory of their own."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.backends.base import AUTOCAST, OUT_OF_MEMORY, DeviceMemory

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.runtime.backends.base import Function
    from pipeline.runtime.transfer.base import Transfer


DRIVER, AMD_DRIVER = "libcuda.so.1", "/dev/kfd"
"""On Linux: NVIDIA's library, which torch itself loads, and what AMD's driver shows."""


class Cuda:
    """One GPU among those of the machine."""

    name = "cuda"
    first = "cuda:0"
    noun = "a GPU"
    copies = page_locked = numbered = batched = True
    needs_compiler = False
    autocast = AUTOCAST
    out_of_memory: tuple[str, ...] = OUT_OF_MEMORY["cuda"]
    visible_variable = "CUDA_VISIBLE_DEVICES"
    provider = "CUDAExecutionProvider"
    accelerator = "gpu"

    def available(self) -> bool:
        """As torch sees it."""
        import torch

        return torch.cuda.is_available()

    def possible(self) -> bool:
        """Not on Linux without a driver."""
        if platform.system() != "Linux" or Path(AMD_DRIVER).exists():
            return True
        try:
            return bool(ctypes.CDLL(DRIVER))
        except OSError:
            return False

    def visible(self) -> tuple[str, ...]:
        """What the shell lets this process see, or the numbers of all."""
        import torch

        named = [name.strip() for name in os.environ.get(self.visible_variable, "").split(",") if name.strip()]
        return tuple(named or map(str, range(torch.cuda.device_count())))

    def memory(self, device: Device) -> DeviceMemory | None:
        """As the driver counts it, whoever holds some."""
        import torch

        return DeviceMemory(*torch.cuda.mem_get_info(str(device)))

    def hardware(self, device: Device) -> str:
        """The model of the GPU."""
        import torch

        return torch.cuda.get_device_name(str(device))

    def fix_rounding(self) -> None:
        """Without TF32, and without kernels that add in any order."""
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True

    @contextmanager
    def full_precision(self) -> Iterator[None]:
        """Without cuDNN, and without TF32, which would tell a tile from the whole."""
        import torch

        tf32 = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            with torch.backends.cudnn.flags(enabled=False, allow_tf32=False):
                yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = tf32

    def transfer(self, device: torch.device) -> Transfer:
        """In streams of their own."""
        from pipeline.runtime.transfer.cuda import CudaTransfer  # which asks this table in turn

        return CudaTransfer(device)

    def peak(self, function: Function, x: torch.Tensor) -> tuple[int, float | None]:
        """The allocator counts the peak, and no mean."""
        import torch

        torch.cuda.reset_peak_memory_stats(x.device)
        before = torch.cuda.memory_allocated(x.device)
        function(x)
        return int(torch.cuda.max_memory_allocated(x.device) - before), None

    def give_back(self) -> None:
        """What torch's allocator keeps for later."""
        import torch

        torch.cuda.empty_cache()

    def wait(self, device: torch.device) -> None:
        """For the stream that computes."""
        import torch

        torch.cuda.current_stream(device).synchronize()

    def providers(self, device: torch.device) -> list[Any]:
        """With the CPU for operators that have no kernel for CUDA.

        The default search takes products of matrices: cuDNN chooses nothing by timing.
        """
        # no NaN spreads in products of matrices, as it would in Winograd's or Fourier's way
        options = {
            "device_id": device.index or 0,
            "cudnn_conv_algo_search": "DEFAULT",
            "use_tf32": "0",
            "arena_extend_strategy": "kSameAsRequested",
        }
        return [(self.provider, options), "CPUExecutionProvider"]
