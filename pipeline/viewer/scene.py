"""The store that a page shows: its grid, classes and layers, and how far it is."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.cleaned import ROOT_KEY
from pipeline.store.files import files_at
from pipeline.store.foreign_arrays import open_array
from pipeline.store.layers import CLASS_LAYERS, LAYERS, layer_kind, leading_layer
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.spec import ClassRow

INSTANCES = "instances"
"""Name of the layer of single objects, which lies below ``labels`` in a store."""
SECONDS_BETWEEN_LOOKS = 1.0
"""A store that grows is looked at no more often than this, whoever asks."""
MAX_CODE = 65535
"""Of a class: a mask holds uint16 at most."""
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLayer:
    """A layer that a page can show."""

    name: str
    kind: Literal["classes", "numbers", "instances"]
    channels: tuple[str, ...] = ()
    """Names along its axis of classes or channels; empty where it has none."""


@dataclass(slots=True)
class StoreScene:
    """A store, as a page sees it. Safe from many threads: what changes is replaced whole."""

    path: Place
    level: StoreLevel = field(init=False)
    """Its full resolution."""
    meta: dict[str, Any] = field(init=False)
    """What its root says."""
    _looked: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.meta = read_store_meta(self.path, "blocks", "tiles", "classes", "config")
        try:
            level = open_store(self.path)
            # a rotated grid has no axes that name its unit
            unit = self.meta.get("fingerprint", {}).get("source.grid", {}).get("unit", level.grid.unit)
            self.level = replace(level, grid=replace(level.grid, unit=unit))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self.path} is damaged: its metadata cannot be read ({error!r}).") from error
        _check_classes(self.path, self.level.classes)
        self._looked = time.monotonic()

    @property
    def grid(self) -> Grid:
        """Of the full resolution."""
        return self.level.grid

    @property
    def classes(self) -> tuple[ClassRow, ...]:
        """Empty in a store without a mask."""
        return self.level.classes

    @property
    def is_complete(self) -> bool:
        """Whether every block and overview is there."""
        return bool(self.meta.get("complete"))

    @property
    def identity(self) -> str:
        """By which tiles of another store, or of the same one made anew, are never taken for those of this one."""
        return hashlib.sha256(json.dumps(self.meta, sort_keys=True, default=str).encode()).hexdigest()[:8]

    @property
    def stored_levels(self) -> int:
        """Levels of the store, the full resolution among them."""
        levels = self.meta.get("levels")
        return levels if isinstance(levels, int) else self._levels(leading_layer(self.level.layers))

    @property
    def instance_levels(self) -> int:
        """Levels of the layer of single objects; 0 where there is none."""
        return self._levels(INSTANCES)

    @property
    def class_layer(self) -> str | None:
        """The layer of classes to begin with: ``cleaned`` where it is whole, else the mask; None without classes."""
        if "mask" not in self.level.layers:
            return None
        return "cleaned" if self.is_complete and ROOT_KEY in self.meta else "mask"

    def layers(self) -> list[ViewLayer]:
        """What can be shown, the layer to begin with first."""
        names = [name for name in self.level.layers if name in LAYERS and name not in CLASS_LAYERS]
        classes = [] if self.class_layer is None else list(dict.fromkeys([self.class_layer, "mask"]))
        layers = [ViewLayer(name=name, kind="classes") for name in classes]
        layers += [ViewLayer(name=name, kind="numbers", channels=self._channels(name)) for name in names]
        if self.instance_levels:
            layers.append(ViewLayer(name=INSTANCES, kind="instances"))
        return layers

    def key(self, layer: str, level: int) -> str:
        """Where the array of a layer lies below the store."""
        return f"labels/{INSTANCES}/{level}" if layer == INSTANCES else f"{level}/{layer}"

    def refresh(self) -> None:
        """Read again what the root says, unless the store is complete or that was a moment ago."""
        if self.is_complete or time.monotonic() - self._looked < SECONDS_BETWEEN_LOOKS:
            return
        self._looked = time.monotonic()
        self.meta = read_store_meta(self.path, "blocks", "tiles", "classes", "config")

    def _channels(self, name: str) -> tuple[str, ...]:
        if self.level.values is not None and (name == "values" or (name == "variance" and not self.classes)):
            return self.level.values.channels
        if layer_kind(name).axis is None:
            return ()
        names = {row.code: row.name for row in self.classes}
        codes = np.asarray(open_array(self.path, "0/class")[:]).tolist()
        return tuple(names.get(code, str(code)) for code in codes)

    def _levels(self, layer: str) -> int:
        """Levels at which there is an array of a layer."""
        files, level = files_at(self.path), 0
        while any(files.exists(f"{self.key(layer, level)}/{name}") for name in ("zarr.json", ".zarray")):
            level += 1
        return level


def _check_classes(path: Place, classes: Sequence[ClassRow]) -> None:
    """Raise StoreError where a class has a code or a colour that no run gives."""
    for row in classes:
        if not _COLOR.fullmatch(row.color):
            raise StoreError(f"{path} is damaged: the colour {row.color!r} of a class is not of the form #rrggbb.")
        if not (isinstance(row.code, int) and 0 <= row.code <= MAX_CODE):
            raise StoreError(f"{path} is damaged: the code {row.code!r} of a class is not one from 0 to {MAX_CODE}.")
