"""``execution.runtime: compile``: ``torch.compile``, the same as ``execution.compile: true``."""

from __future__ import annotations

from pipeline.models.runtimes.runtime import Runtime
from pipeline.models.torch_compile import compiled, why_not_compilable

COMPILE_RUNTIME = Runtime(
    obstacle=why_not_compilable, run=lambda network, _: compiled(network), noun="a compiled network", single=True
)
