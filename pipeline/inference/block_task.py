"""One block from raster to committed chunks: what an engine runs, on whatever thread, process or node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.config import ModelConfig
from pipeline.errors import InferenceError, ReadError
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.margin import Margin
from pipeline.geometry.shards import Shard, ShardBlocks, blocks_of_shard
from pipeline.geometry.window import Window
from pipeline.inference.array_inference import ArrayInference, takes_arrays
from pipeline.inference.clipped import CLIPPED
from pipeline.inference.first_read import begin_first_read, take_first_read
from pipeline.inference.opened_networks import block_inference, opened_inference
from pipeline.inference.picture import PicturePart
from pipeline.inference.read import pixel_checksum, read_with_retries
from pipeline.inference.recipe import Block, Recipe, requested_window
from pipeline.inference.write import write_block
from pipeline.interfaces import Source
from pipeline.locations import Place
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of
from pipeline.runtime.clock import Clock, Timing, timed_stage
from pipeline.runtime.device import run_on_device_thread
from pipeline.runtime.transfer.base import Arrays
from pipeline.store.files.outage import outage_as_unfinished
from pipeline.store.invalid_counts import InvalidCounts
from pipeline.store.picture_spec import PictureSpec

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockResult:
    """What became of one block."""

    index: BlockIndex
    window: Window
    error: str | None
    """Why it failed, or None where it is committed."""
    inferred: bool
    """False where every pixel was invalid."""
    pixels: int
    """Of the block that were asked for."""
    decoded: int
    """Pixels decoded for it from the file's own blocks."""
    peak: int
    """Most memory that its process ever held, bytes."""
    invalid: dict[str, int]
    """Pixels that were asked for and are invalid, by their cause."""
    timing: Timing
    """Where it was, and when: in seconds since the epoch of a clock that the processes of one machine share."""
    clipped: list[int] = field(default_factory=list)
    """Pixels of each channel whose number was clipped; empty where none was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTask:
    """Everything a worker needs, small and picklable; networks open on first use, once per process."""

    source: Source
    model: ModelConfig
    recipe: Recipe
    layout: BlockGrid
    store: Place
    device: str
    retries: int
    area: RequestedArea | None = None
    """What is asked for, or None for everything."""
    streams: int = 1
    """Blocks that are inferred at once in each process."""
    margin: Margin | None = None
    """Of an unpadded network."""
    edges: Margin | None = None
    """Pixels so near the raster's edge are nodata; None where there are none."""
    mark: str = ""
    """Of the network that the job was planned with, as `Loaded.mark`; empty where it is taken as it is."""
    runtime_shape: tuple[int, ...] = ()
    """(batch, bands, rows, cols) of the image with which a runtime follows the network's code; empty without need."""
    crop_side: int = 0
    """Side of the image on which a network is seen whose halos are cropped, px."""
    picture: PictureSpec | None = None
    """The reduced picture of the source that the store keeps; None where it keeps none."""
    store_id: str = ""
    """Id of the store, once it is there; a worker writes into no other under the same path."""

    @property
    def on_arrays(self) -> bool:
        """Whether blocks are computed without torch; by what the job is alone, and by nothing of this process."""
        several = self.model.members or self.model.input_bands
        return not (several or self.margin or backend_of(self.device).copies) and takes_arrays(self.recipe)

    def blocks(self) -> Iterator[BlockIndex]:
        """All blocks that hold anything that is asked for, in the order in which they are read."""
        return self.layout.blocks() if self.area is None else self.area.blocks(self.layout)

    def share(self, shard: Shard, total: int) -> ShardBlocks:
        """Those of a shard, of so many in all.

        By the layout and the area alone, whatever the swaths in which this machine's memory lets them be read.
        """
        return blocks_of_shard(shard, replace(self, layout=self.layout.with_swaths(1)).blocks(), total)

    def requested(self, index: BlockIndex) -> npt.NDArray[np.bool_] | None:
        """(rows, cols) of a block: what is asked for and can be had; None for all of it."""
        window = self.layout.window(index)
        mask = None if self.area is None else self.area.read(window)
        if self.edges is not None:
            inside = self.edges.inside(window, self.layout.height, self.layout.width)
            mask = inside if mask is None else mask & inside
        return None if mask is None or mask.all() else mask

    def __call__(self, index: BlockIndex) -> BlockResult:
        """Read, infer, write and commit one block.

        A block that cannot be read or inferred is an outcome, not an exception.
        """
        clock, window = Clock(), self.layout.window(index)
        error, inferred, decoded, requested = None, False, 0, None
        counts = InvalidCounts()
        with clock.running():
            try:
                with timed_stage("read"):
                    requested = self.requested(index)
                inferred, decoded, counts = self._run(index, requested)
            except (ReadError, InferenceError) as fault:
                error = str(fault)
        pixels, timing = (
            window.pixels if requested is None else int(requested.sum()),
            clock.timing("block", (index.row, index.col)),
        )
        return BlockResult(
            index=index,
            window=window,
            error=error,
            inferred=inferred,
            pixels=pixels,
            decoded=decoded,
            peak=resources.peak_resident(),
            invalid=counts.invalid,
            timing=timing,
            clipped=counts.clipped,
        )

    def failed(self, index: BlockIndex, reason: str) -> BlockResult:
        """What became of a block that no process lived to tell of."""
        timing = Clock().timing("block", (index.row, index.col))
        return BlockResult(
            index=index,
            window=self.layout.window(index),
            error=reason,
            inferred=False,
            pixels=0,
            decoded=0,
            peak=0,
            invalid={},
            timing=timing,
        )

    def block(self, index: BlockIndex, requested: npt.NDArray[np.bool_] | None) -> Block:
        """The pixels of a block and of what its tiles see around what is asked for. Raises ReadError."""
        window = self.layout.window(index)
        frame = self.layout.read_window(index, requested_window(window, requested))
        return Block(index, window, frame, read_with_retries(self.source, frame, self.retries), requested)

    def begin_reading(self) -> None:
        """Begin to read the first block, which a block task of this process takes once its store is there."""
        index = next(self.blocks(), None)
        if index is not None:
            begin_first_read(self.source, self.layout, index, lambda: self.block(index, self.requested(index)))

    def _run(self, index: BlockIndex, requested: npt.NDArray[np.bool_] | None) -> tuple[bool, int, InvalidCounts]:
        with timed_stage("read"):
            block = take_first_read(self.source, self.layout, index) or self.block(index, requested)
        pixels = block.window.pixels if requested is None else int(requested.sum())
        with timed_stage("checksum"):
            record: dict[str, Any] = {"source": pixel_checksum(block.pixels)}
        counts = InvalidCounts(pixels, block.invalid)
        inferred = bool(block.output_mask.any())
        if inferred:
            arrays, halvings = self._infer(block)
            record |= {"halvings": halvings} if halvings else {}
            clipped = arrays.pop(CLIPPED, None)
            counts.add_clipped([] if clipped is None else clipped.tolist())
        else:
            arrays = {}
        self._write(index, block, arrays, {**record, **counts.recorded()})
        return inferred, block.pixels.decoded, counts

    def _infer(self, block: Block) -> tuple[Arrays, int]:
        """In this thread, but for what owns the device."""
        network = opened_inference(self) or run_on_device_thread(lambda: block_inference(self), self.streams)
        if isinstance(network, ArrayInference):
            return run_on_device_thread(lambda: network(block, self.layout), self.streams)
        with timed_stage("read"):
            uploaded = network.upload(block)
        return network.collect(run_on_device_thread(lambda: network.enqueue(uploaded, self.layout), self.streams))

    def _write(self, index: BlockIndex, block: Block, arrays: Arrays, record: dict[str, Any]) -> None:
        part = None if self.picture is None else PicturePart(spec=self.picture, block=block)
        with outage_as_unfinished(self.store):
            write_block(self.store, index, block.window, self.recipe.layers, arrays, record, self.store_id, part)
