"""``execution.runtime: compile``: ``torch.compile``, the same as ``execution.compile: true``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime

if TYPE_CHECKING:
    from pipeline.interfaces import Device


def _obstacle(network: Loaded, device: Device) -> str | None:
    from pipeline.models.torch_compile import why_not_compilable

    return why_not_compilable(network, device)


def _compiled(network: Loaded, _: Sequence[int]) -> Loaded:
    from pipeline.models.torch_compile import compiled

    return compiled(network)


COMPILE_RUNTIME = Runtime(obstacle=_obstacle, run=_compiled, noun="a compiled network", single=True)
