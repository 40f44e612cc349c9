"""One raster of a mosaic: a small spec that opens any source, and what is known of it without opening it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from pipeline.config import SourceConfig
from pipeline.config.families import SOURCE_KINDS
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.runtime.memory_constants import DATASET_COPIES

Opener = Callable[[SourceConfig, float | None], Source]
"""Opens a source from its config and ``execution.read_timeout``, s; pickles."""
HANDLE_BYTES = 256 * 2**10
"""Bytes that an open raster holds beside the blocks that it decoded."""


def open_by_kind(config: SourceConfig, timeout: float | None) -> Source:
    """Open a source of any kind, on its own grid."""
    # by the family's table, since the table itself names the mosaic
    open_: Opener = next(table[config.kind] for table in SOURCE_KINDS.tables if config.kind in table)
    return open_(config, timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFacts:
    """What a mosaic has to know of a piece; plain values that an index keeps."""

    grid: Grid
    """The piece's own."""
    bands: int
    dtype: str
    """numpy's name of it."""
    block: tuple[int, int]
    """(rows, cols) of the piece's own blocks, px."""
    rgb: tuple[int, ...] = ()
    """Which of the bands read, from 0, are red, green and blue."""
    notes: tuple[str, ...] = ()
    news: tuple[str, ...] = ()
    """How it is read otherwise than by earlier releases."""
    files: tuple[str, ...] = ()
    """All files behind it; its path alone where that is empty."""
    date: str = ""
    """When it was taken by its own tags, in ISO 8601; empty where they do not say so."""
    open_bytes: int = HANDLE_BYTES
    """Bytes that it holds while it is open."""
    working_bytes: int = 0
    """As `Source.working_bytes`."""

    @classmethod
    def of(cls, source: Source) -> PieceFacts:
        """What an open source says of itself."""
        return cls(
            grid=source.grid,
            bands=source.bands,
            dtype=str(source.dtype),
            block=source.block,
            rgb=source.rgb,
            notes=source.notes,
            working_bytes=source.working_bytes,
            open_bytes=source.open_files + handle_bytes(source.block, source.bands, source.dtype.itemsize),
        )


def handle_bytes(block: tuple[int, int], bands: int, itemsize: int) -> int:
    """Bytes that an open raster holds, by its blocks of (rows, cols) px."""
    return HANDLE_BYTES + DATASET_COPIES * int(np.prod(block)) * bands * itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One raster of a mosaic. Small, since there may be many thousands; pickles."""

    name: str
    """By which messages, and ties of order, name it; free of credentials."""
    path: str | dict[str, str]
    """As ``source.path`` has it."""
    settings: SourceConfig
    """How it is opened: kind, bands, nodata and so on. Its own path is not used, so that pieces share one."""
    date: datetime | None = None
    """When it was taken, where that is known; else its own tags are asked. Without a time zone it is UTC."""
    mark: str = ""
    """What is another where its pixels may be others, such as a checksum or a version. Empty: its files are asked."""
    facts: PieceFacts | None = None
    """What is known of it; None: it is opened once, and an index keeps what it said."""
    opener: Opener = open_by_kind
    """A function of a module, or a `functools.partial` of one."""

    @property
    def config(self) -> SourceConfig:
        """What is opened."""
        return self.settings.model_copy(update={"path": self.path, "grid": None, "aoi": None})

    def open(self, timeout: float | None) -> Source:
        """The piece on its own grid.

        Raises
        ------
        SourceError
            It cannot be opened.
        """
        return self.opener(self.config, timeout)

    def without_facts(self) -> Piece:
        """The same, as small as it travels to a worker."""
        return self if self.facts is None else replace(self, facts=None)
