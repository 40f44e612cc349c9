"""What every kind of device answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.runtime.transfer.base import Transfer

    Function = Callable[[torch.Tensor], torch.Tensor]

AUTOCAST: tuple[str, ...] = ("bfloat16", "float16")
"""Below float32, as in ``execution.precision`` and in torch."""


OUT_OF_MEMORY = {
    "cpu": ("can't allocate memory",),
    "cuda": (
        "CUDA out of memory",
        "CUDA error: out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
    ),
}
"""What torch, the driver and the libraries of kernels write where memory ran out, by torch's name of the device."""


def ran_out(error: Exception, messages: Iterable[str]) -> bool:
    """Whether an error says that memory ran out; TorchScript wraps torch's own error in another."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or any(message in str(error) for message in messages)


class DeviceMemory(NamedTuple):
    """Bytes of a device with memory of its own."""

    free: int
    total: int


class Backend(Protocol):
    """A kind of device: a row of the table has one of these."""

    name: str
    """torch's name of the kind, which stores and frozen plans keep."""
    first: str
    """The device of this kind that ``execution.device: auto`` takes."""
    noun: str
    """What messages call such a device."""
    copies: bool
    """Tensors are copied to the device; otherwise the device computes in the memory of the process."""
    page_locked: bool
    """Copies start from page-locked memory, so that no call waits for them."""
    numbered: bool
    """A machine may have several such devices, told apart by number.

    Each process of engine ``processes`` then has one to itself.
    """
    batched: bool
    """Tiles that are computed at once form a batch; otherwise each tile has a stream of its own."""
    needs_compiler: bool
    """torch.compile needs a C++ compiler for such a device."""
    autocast: tuple[str, ...]
    """Dtypes that autocast offers, as in ``execution.precision``."""
    out_of_memory: tuple[str, ...]
    """Parts of the messages with which torch, the driver and the libraries of kernels say that memory ran out."""
    visible_variable: str
    """Environment variable that names the devices which a process may use; empty where there is none."""
    provider: str
    """onnxruntime's name of what runs on such a device."""
    accelerator: str
    """Lightning's name of the kind."""

    def available(self) -> bool:
        """Whether this machine has such a device."""

    def visible(self) -> tuple[str, ...]:
        """Names of the numbered devices that this process may use, in order; none where devices have no numbers."""

    def possible(self) -> bool:
        """Whether this machine may have such a device; asked without torch, which knows for sure."""

    def memory(self, device: Device) -> DeviceMemory | None:
        """The memory of the device now; None where it is that of the process."""

    def hardware(self, device: Device) -> str:
        """What a frozen plan calls the device: the device's model, or its instructions."""

    def fix_rounding(self) -> None:
        """Fix for good what would round a sum otherwise from one run to the next."""

    def full_precision(self) -> AbstractContextManager[None]:
        """A context in which convolutions are products of matrices in full precision."""

    def transfer(self, device: torch.device) -> Transfer:
        """How the pixels of blocks get to the device, and layers back."""

    def peak(self, function: Function, x: torch.Tensor) -> tuple[int, float | None]:
        """Run a function of an image and follow the allocator.

        Returns
        -------
        tuple
            Live bytes at the peak beyond the image; and the mean of live bytes, weighed by what is allocated, as a
            share of the peak, where that is seen.
        """

    def give_back(self) -> None:
        """Give back the memory that torch keeps of the device."""

    def wait(self, device: torch.device) -> None:
        """Wait until the device has computed what it was asked for."""

    def providers(self, device: torch.device) -> list[Any]:
        """What a session of onnxruntime is opened with to run on the device."""
