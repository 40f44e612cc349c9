"""A store as an xarray Dataset that shows itself in notebooks."""

from __future__ import annotations

from html import escape
from typing import Any

import xarray

from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.quality.scene_html import scene_html
from pipeline.quality.scene_summary import scene_summary
from pipeline.quality.stats.rows import StatsRow
from pipeline.quality.stats.stats import store_stats
from pipeline.redact import redacted
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.spec import ClassRow


class StoreDataset(xarray.Dataset):  # type: ignore[no-untyped-call]  # of xarray's own __init_subclass__
    """The layers of one level of a store.

    What is computed from it, such as a part, is a Dataset of the same class that knows no store any more.
    """

    __slots__ = ("_store_level",)

    @classmethod
    def of(cls, layers: xarray.Dataset, level: StoreLevel) -> StoreDataset:
        """The layers of a level, which knows its store."""
        scene = cls(data_vars=dict(layers.data_vars), coords=layers.coords, attrs=layers.attrs)
        object.__setattr__(scene, "_store_level", level)
        return scene

    @property
    def path(self) -> Place:
        """Where the store lies."""
        return self._level.path

    @property
    def grid(self) -> Grid:
        """Size, transform and CRS of this level."""
        return self._level.grid

    @property
    def classes(self) -> tuple[ClassRow, ...]:
        """Code, name and colour of each class; empty where there is no mask."""
        return self._level.classes

    @property
    def normalised_by(self) -> dict[str, Any] | None:
        """Numbers of the raster that its pixels were normalised by, and what they are of; None where there are none."""
        record: dict[str, Any] | None = read_store_meta(self.path, "fingerprint")["fingerprint"].get(NORMALISE_KEY)
        return record

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(str(name) for name in self.data_vars)

    @property
    def complete(self) -> bool:
        """Whether the store is complete now."""
        return bool(read_store_meta(self.path).get("complete"))

    def areas(self) -> tuple[StatsRow, ...]:
        """Pixels, area and share of each class, exactly: every block of the full resolution is read.

        Raises
        ------
        StoreError
            The store is not complete.
        """
        return tuple(store_stats(open_store(self.path)))

    def _repr_html_(self) -> str:
        if getattr(self, "_store_level", None) is None:
            return super()._repr_html_()
        try:
            summary = scene_html(scene_summary(open_store(self.path)))
        except Exception as error:  # a cell that shows a store must not fail: it says why there is no picture
            text = f"{redacted(str(self.path))} cannot be shown: {redacted(str(error)) or type(error).__name__}\n\n"
            return f"<pre>{escape(text)}{escape(repr(self))}</pre>"
        return f"{summary}<details><summary>layers as xarray has them</summary>{super()._repr_html_()}</details>"

    @property
    def _level(self) -> StoreLevel:
        level: StoreLevel = object.__getattribute__(self, "_store_level")
        return level
