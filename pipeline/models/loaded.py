"""A loaded network: one calling convention, whatever the kind."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from pipeline.config import InputBands
from pipeline.geometry.margin import Margin
from pipeline.interfaces import Graph, InputConstraints
from pipeline.models import answer, unpadded
from pipeline.models.output import entry, logits, require_scores

if TYPE_CHECKING:
    import torch


SHARED_FIELDS = ("kind", "sha256", "external", "code", "args", "arch", "revision", "output")
"""Parts of an identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A network on its device, in eval mode."""

    module: torch.nn.Module
    identity_fields: dict[str, Any]
    """Kind and hashes."""
    key: str = "auto"
    """Entry of what it returns."""
    accepts: InputConstraints = field(default_factory=InputConstraints)
    notes: tuple[str, ...] = ()
    """What was unwrapped and left out of its weights file, in words."""
    graph: Graph | None = None
    """What it is made of, where torch does not see it run."""
    margin: Margin | None = None
    """Of an unpadded network."""
    bands: int = 0
    """Of its input."""
    inputs: tuple[InputBands, ...] = ()
    """Inputs to which these bands go, in their order; empty of a network of one."""
    input_dtype: str = "float32"
    """Of the numbers that it is fed."""
    folded: bool = False
    """Whether batch norm was folded into it after it was loaded."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) float32 → logits (n, classes, rows, cols) float32 at the input's size.

        A network of a fixed batch is given no more than that; what is missing from a batch is filled up with the last
        image.
        """
        import torch

        batch, n = self.accepts.batch or len(x), len(x)
        if n < batch:
            x = torch.cat([x, x[-1:].expand(batch - n, -1, -1, -1)])
        with torch.inference_mode():
            if self.margin is not None:
                return unpadded.run_unpadded(self.scores, x, self.margin)[:n]
            return logits(self.module(x), self.key, x.shape[2], x.shape[3], len(x))[:n]

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) float32 → what counts of what it returns, (n, classes, …) at its size and dtype."""
        return require_scores(self.module(x), self.key, len(x))

    def with_margin(self, margin: Margin) -> Self:
        """The same network, that returns as many pixels as it is given: 0 in its margins."""
        graph = None if self.graph is None else unpadded.WithinMargin(graph=self.graph, margin=margin)
        return replace(self, margin=margin, accepts=self._accepts(margin), graph=graph)

    def _accepts(self, margin: Margin) -> InputConstraints:
        if margin.maximum is None:
            return replace(self.accepts, minimum=margin.minimum)
        return InputConstraints(minimum=margin.minimum, maximum=margin.maximum, batch=self.accepts.batch)

    def with_fixed_size(self, size: int) -> Self:
        """The same network, that is given no other size, px."""
        return replace(self, accepts=InputConstraints(minimum=size, maximum=size, batch=self.accepts.batch))

    def with_maximum(self, maximum: int, multiple: int = 1) -> Self:
        """The same network, that is given no larger size, px, and multiples of a number alone."""
        return replace(
            self, accepts=replace(self.accepts, maximum=maximum, multiple=math.lcm(multiple, self.accepts.multiple))
        )

    def identity(self) -> dict[str, Any]:
        """What makes it this network, and what counts of what it returns."""
        return {**self.identity_fields, **({} if "output" in self.identity_fields else {"key": self.key})}

    @property
    def runs_outside(self) -> bool:
        """Whether its file is one that another library runs."""
        return self.graph is not None

    @property
    def leaves_torch(self) -> bool:
        """Whether it runs in another library."""
        return self.runs_outside

    @property
    def mark(self) -> str:
        """Digest of what every process and machine sees alike of it.

        Its file, code, arguments and state dict, and nothing that is computed on the way.
        """
        parts = [
            *(self.identity_fields.get(name) for name in SHARED_FIELDS),
            self._state if "tensors" in self.identity_fields else None,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def _state(self) -> str:
        from pipeline.models.tensor_digest import state_of

        return state_of(self.module)

    def returns_same_output(self, key: str) -> bool:
        """Whether another ``model.output.key`` names the same of what it returns, such as ``auto`` and ``out``."""
        if key == self.key or "output" in self.identity_fields:
            return True
        size = self.margin.rows.least if self.margin is not None and self.margin.maximum is not None else None
        returned = answer.output_for_noise(
            self.module,
            self.bands,
            self.accepts if size is None else InputConstraints(minimum=size, maximum=size, batch=self.accepts.batch),
        )
        return returned is not None and entry(returned, key) == entry(returned, self.key)
