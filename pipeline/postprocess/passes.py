"""Steps one after the other over the blocks of a mask of any size, each from what the one before left on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.objects.mask import Codes, Mask, MaskBlocks
from pipeline.postprocess.component_steps import component_windows
from pipeline.postprocess.steps import SizeStep, Step
from pipeline.postprocess.window_steps import passes, window_windows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScratchMask:
    """What a step made, in a folder of its own; blocks that were not written are nodata and take no room."""

    folder: Path
    array: zarr.Array[Any]
    nodata: int

    @classmethod
    def empty(cls, folder: Path, blocks: MaskBlocks, dtype: str) -> ScratchMask:
        """A mask of the size of another, whose chunks are the blocks."""
        mask = blocks.mask
        array = zarr.create_array(
            folder,
            shape=(mask.height, mask.width),
            chunks=(blocks.side, blocks.side),
            dtype=dtype,
            fill_value=mask.nodata,
            compressors=ZstdCodec(level=1),
            config={"write_empty_chunks": False},
        )
        return cls(folder=folder, array=array, nodata=mask.nodata)

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.array.shape[1])

    def read(self, window: Window, /) -> Codes:
        """(rows, cols) codes of a window inside the mask."""
        return np.asarray(self.array[window.slices])


def apply_steps(
    steps: Iterable[Step],
    blocks: MaskBlocks,
    grid: Grid,
    dtype: str,
    scratch: Path,
    say: Callable[[str], None] = lambda line: None,
    after_block: Callable[[], None] = lambda: None,
) -> Mask:
    """The mask that steps make of another: the same for whatever blocks it is read by.

    Parameters
    ----------
    steps
        In order.
    blocks
        The mask and its blocks.
    grid
        Of the mask, for areas.
    dtype
        Of the mask.
    scratch
        An empty folder, or one to be made, which holds what is returned.
    say
        Told of each step.
    after_block
        Called after each block of each step.

    Returns
    -------
    Mask
        Of the last step; that of ``blocks`` where there is none.
    """
    for number, step in enumerate(steps):
        say(f"cleaned, {step.sentence}")
        parts: list[Step] = [step] if isinstance(step, SizeStep) else [*passes(step)]
        for part, one in enumerate(parts):
            scratch_mask = ScratchMask.empty(scratch / f"mask{number}.{part}", blocks, dtype)
            for window, codes in _windows(one, blocks, grid, scratch / "components", after_block):
                scratch_mask.array[window.slices] = codes
            _remove(blocks.mask)
            blocks = replace(blocks, mask=scratch_mask)
    return blocks.mask


def _windows(
    step: Step, blocks: MaskBlocks, grid: Grid, scratch: Path, after_block: Callable[[], None]
) -> Iterator[tuple[Window, Codes]]:
    if isinstance(step, SizeStep):
        yield from component_windows(step, blocks, grid, scratch, after_block)
        return
    for window, codes in window_windows(step, blocks):
        yield window, codes
        after_block()


def _remove(mask: Mask) -> None:
    """Free the room of the step before."""
    if isinstance(mask, ScratchMask):
        shutil.rmtree(mask.folder, ignore_errors=True)
