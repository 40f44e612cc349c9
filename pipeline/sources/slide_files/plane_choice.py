"""Which planes of a TIFF a config asks for, and how their numbers are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.config import SourceConfig
from pipeline.config.selection import SelectValue


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneChoice:
    """What `SourceConfig` says of planes; by default that nothing is chosen."""

    select: Mapping[str, SelectValue] | None = None
    axes: str | tuple[str, ...] | None = None
    as_stored: bool = False
    """Whether numbers are taken as they are, and not as a picture shows them."""
    nodata: Literal["auto"] | int | float | None = "auto"
    rule: Literal["all", "any"] = "all"

    @classmethod
    def of(cls, config: SourceConfig) -> PlaneChoice:
        """The choice of a config; bands that are named are the file's own numbers."""
        return cls(
            select=config.select,
            axes=tuple(config.axes) if isinstance(config.axes, list) else config.axes,
            as_stored=config.bands is not None,
            nodata=config.nodata,
            rule=config.nodata_rule,
        )

    @property
    def chooses(self) -> bool:
        """Whether planes are chosen; else a slide is read as it is."""
        return self.select is not None or self.axes is not None
