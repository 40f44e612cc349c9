"""The CPU, which computes in the memory of the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.runtime.backends.base import AUTOCAST, OUT_OF_MEMORY, DeviceMemory

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.runtime.backends.base import Function
    from pipeline.runtime.transfer.base import Transfer


class Cpu:
    """All cores of the machine are one device."""

    name = first = "cpu"
    noun = "the CPU"
    copies = page_locked = numbered = batched = False
    needs_compiler = True
    autocast = AUTOCAST
    out_of_memory: tuple[str, ...] = OUT_OF_MEMORY["cpu"]
    visible_variable = ""
    provider = "CPUExecutionProvider"
    accelerator = "cpu"

    def available(self) -> bool:
        """Every machine has one."""
        return True

    def possible(self) -> bool:
        """Every machine has one."""
        return True

    def visible(self) -> tuple[str, ...]:
        """There is one, without a number."""
        return ()

    def memory(self, device: Device) -> DeviceMemory | None:
        """It is that of the process."""
        return None

    def hardware(self, device: Device) -> str:
        """The instructions that torch uses."""
        import torch

        return torch.backends.cpu.get_cpu_capability()

    def fix_rounding(self) -> None:
        """Threads alone decide, and `rounding` sets them."""

    @contextmanager
    def full_precision(self) -> Iterator[None]:
        """Without oneDNN."""
        import torch

        mkldnn = torch.backends.mkldnn.enabled
        # a module property, which mypy takes for its descriptor
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.backends.mkldnn.enabled = mkldnn

    def transfer(self, device: torch.device) -> Transfer:
        """Nothing is copied."""
        from pipeline.runtime.transfer.shared import HostTransfer  # which asks this table in turn

        return HostTransfer()

    def peak(self, function: Function, x: torch.Tensor) -> tuple[int, float | None]:
        """The allocator's events see eager, scripted and exported networks alike.

        They are weighed by bytes: by time the share would differ between runs.
        """
        from torch.autograd.profiler import profile

        # torch.profiler would import torch's compiler first, for seconds
        with profile(profile_memory=True) as profiled:
            function(x)
        assert profiled.kineto_results is not None
        events = [event for event in profiled.kineto_results.events() if event.name() == "[memory]"]
        live = peak = allocated = weighed = 0
        for event in sorted(events, key=lambda event: event.start_ns()):
            live += event.nbytes()
            peak = max(peak, live)
            allocated += max(event.nbytes(), 0)
            weighed += max(event.nbytes(), 0) * live
        return peak, weighed / (allocated * peak) if allocated and peak else None

    def give_back(self) -> None:
        """Torch keeps none."""

    def wait(self, device: torch.device) -> None:
        """Every call returns with its answer."""

    def providers(self, device: torch.device) -> list[Any]:
        """It has no options."""
        return [self.provider]
