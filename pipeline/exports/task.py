"""One export: a layer of a store in a form, for a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

from pipeline.errors import ConfigError
from pipeline.exports.layer_part import LayerPart, exported_part
from pipeline.exports.mark import Mark
from pipeline.interfaces import to_stderr
from pipeline.locations import Place
from pipeline.store.layers import DERIVED_LAYERS
from pipeline.store.spec import StoreSpec

MAIN_LAYERS = ("cleaned", "mask", "values")
"""What a store is made for: the first of these that it has."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is asked for."""

    to: str
    """Form, by its name in `KINDS`."""
    layer: str | None = None
    """None for the layer that the store is made for."""
    out: Place | None = None
    """None for the place beside the store."""
    memory: int = 2**30
    """Bytes that the process may take."""
    options: dict[str, Any] = field(default_factory=dict)
    """Those of the form alone."""


@dataclass(frozen=True)
class ExportTask:
    """What an export is written from."""

    store: Place
    spec: StoreSpec
    meta: dict[str, Any]
    """What the root of the store says."""
    request: ExportRequest
    say: Callable[[str], None] = field(default=to_stderr, compare=False, repr=False)
    """Told what is left out of the ordinary."""

    @property
    def layer(self) -> str:
        """The layer that is exported.

        Raises
        ------
        ConfigError
            The store has no such layer.
        """
        layer = self.request.layer or main_layer(self.spec)
        if layer not in self.spec.layers:
            raise ConfigError(
                f"{self.store} has no layer {layer}, which was asked for. "
                f"It has {', '.join(self.spec.layers)}: name one of these."
            )
        return layer

    @cached_property
    def part(self) -> LayerPart:
        """The pixels that are exported."""
        return exported_part(self.store, self.spec, self.meta, self.layer)

    @cached_property
    def mark(self) -> Mark:
        """What the file says of its store."""
        window = [*asdict(self.part.window).values()]
        classes = [asdict(row) for row in self.spec.classes]
        facts = [self.request.to, self.layer, window, self.part.levels, classes, self.request.options]
        if self.layer in DERIVED_LAYERS:  # its pixels change while the store stays the same
            facts.append(self.meta[self.layer]["fingerprint"])
        state = blake2b(json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
        return replace(Mark.of_store(self.store, self.meta), state=state)


def main_layer(spec: StoreSpec) -> str:
    """The layer that a store is made for."""
    return next(name for name in MAIN_LAYERS if name in spec.layers)
