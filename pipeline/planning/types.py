"""What is wished for, and what is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.read_sharing import ReadSharing
from pipeline.geometry.span import round_up
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.interfaces import Tolerated
from pipeline.planning import memory
from pipeline.planning.halo import HaloDecision
from pipeline.runtime.memory_constants import MIN_ACTIVATION_FACTOR

if TYPE_CHECKING:
    from pipeline.models.cropping.plan import Cropping

VIEWS_PER_TILE = {"none": 1, "flips": 4, "dihedral": 8}
"""How often the network sees a tile, by ``tile.augment``."""
APRONS = ("near", "far")
"""Of the tiles: by how much the raster is padded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLayout:
    """The processes that run blocks within one budget.

    Those of this machine, of one job of a cluster, or one worker of a scheduler.
    """

    processes: int = 1
    launcher_bytes: int = 0
    """Bytes of the process that starts them, where it is none of them."""
    single_process: bool = True
    """Whether one process runs all blocks, so that it can hold what neighbouring blocks read in common."""
    device: int | None = None
    """Bytes that tensors may take on the device of each, where it has memory of its own; None where they lie in the
    budget."""
    streams: int = 1
    """Tiles that each computes at once."""


ONE_PROCESS = WorkerLayout()
"""This process alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What the config asks for and the machine allows, stripped of everything else."""

    height: int
    width: int
    tile: Literal["auto"] | int
    overlap: Literal["auto"] | float
    taper: str
    """``auto``, or a key of `pipeline.inference.tapers.KINDS`."""
    blend: Literal["logits", "probabilities"]
    block: Literal["auto"] | int
    chunk: int
    shard: Literal["auto", "none"] | int
    multiple: int
    """The stride and what the network's file asks for, px."""
    minimum: int
    maximum: int | None
    training_size: int | None
    halo: HaloDecision
    costs: memory.MemoryCosts
    budget: int
    """Bytes."""
    workers: int | None
    """Blocks in flight at most; None for as many as are of use."""
    batch: int = 1
    """Equal tiles that are inferred at once, where tiles are blended."""
    augment: str = "none"
    source_block: tuple[int, int] = (1, 1)
    """(rows, cols) of the file's own blocks, px."""
    worker_layout: WorkerLayout = ONE_PROCESS
    cores: int = 1
    """That each process computes with."""
    streams: tuple[int, ...] = (1,)
    """Tiles that may be computed at once in each process, among which the cores are shared evenly."""
    pixelwise: bool = False
    """Whether the network sees single pixels on a CPU, so that a tile may be as small as the CPU's cache."""
    pad: str = "none"
    """How the raster is padded at its edges: ``none``, ``reflect`` or ``constant``."""
    near: tuple[int, int] = (0, 0)
    """(rows, cols) px before the raster that tiles may see."""
    far: tuple[int, int] = (0, 0)
    """(rows, cols) px behind it that they see at least."""
    cropped: Cropping | None = None
    """The network as it computes a part of a tile; None where tiles are computed whole."""
    area_blocks: Callable[[BlockGrid], Iterable[BlockIndex]] | None = None
    """The blocks of a layout that an area touches; None where all are asked for."""

    @property
    def whole(self) -> int:
        """The longer side of the raster as tiles see it, px."""
        sides = zip((self.height, self.width), self.near, self.far, strict=True)
        return max(near + round_up(length + far, self.multiple) for length, near, far in sides)

    def count(self, layout: BlockGrid, limit: int) -> int:
        """Blocks of a layout that are asked for; those of an area are counted up to ``limit``."""
        return layout.count if self.area_blocks is None else sum(1 for _ in islice(self.area_blocks(layout), limit))

    def count_chunks(self, limit: int) -> int:
        """Chunks that are asked for; those of an area are counted up to ``limit``."""
        rows, cols = (
            HaloTiling(length=length, multiple=1, halo=0, core=self.chunk) for length in (self.height, self.width)
        )
        return self.count(
            BlockGrid(height=self.height, width=self.width, block=self.chunk, rows=rows, cols=cols), limit
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """The resolved geometry: fixed when the store is created, reused by every resume."""

    height: int
    width: int
    block: int
    chunk: int
    shard: int | None
    multiple: int
    minimum: int
    halo: int | None
    core: int
    """Longest core (halo), px; 0 where blended."""
    size: int
    """Longest tile, px."""
    step: int
    """Distance of tiles where blended, px; else 0."""
    taper: str
    blend: str
    exact: bool
    why: str
    batch: int = 1
    """Tiles that are inferred at once; 1 unless blended."""
    augment: str = "none"
    """How tiles are turned and mirrored."""
    tolerated: Tolerated | None = None
    """What was measured where ``tile.halo`` asked for a tolerance."""
    pad: str = "none"
    """How the raster is padded at its edges."""
    near: tuple[int, int] = (0, 0)
    """(rows, cols) px before the raster that tiles may see."""
    far: tuple[int, int] = (0, 0)
    """(rows, cols) px behind it that they see at least."""

    @property
    def turned(self) -> bool:
        """Whether the network sees each tile in several ways."""
        return self.augment != "none"

    @property
    def averages_probabilities(self) -> bool:
        """Whether it is probabilities that are averaged."""
        return self.blend == "probabilities" and (self.turned or self.halo is None)

    @classmethod
    def of(cls, values: dict[str, Any]) -> TilePlan:
        """From `as_dict`."""
        tolerated = values.get("tolerated")
        aprons = {name: tuple(values[name]) for name in APRONS if name in values}
        return cls(**{**values, **aprons, "tolerated": Tolerated(**tolerated) if tolerated else None})

    def layout(self) -> BlockGrid:
        """The blocks and tiles."""
        return BlockGrid(height=self.height, width=self.width, block=self.block, rows=self.axis(0), cols=self.axis(1))

    def axis(self, number: int) -> HaloTiling | LatticeTiling:
        """Tiling of the rows (0) or of the columns (1)."""
        length, near, far = (self.height, self.width)[number], self.near[number], self.far[number]
        if self.halo is None:
            return LatticeTiling(
                length=length, multiple=self.multiple, size=self.size, step=self.step, near=near, far=far
            )
        tiling = HaloTiling(
            length=length,
            multiple=self.multiple,
            halo=self.halo,
            core=self.core,
            minimum=self.minimum,
            near=near,
            far=far,
        )
        return (
            replace(tiling, core=max(self.core, round_up(length, self.multiple)))
            if tiling.whole.size <= self.size
            else tiling
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the store.

        Those of a raster that is not padded are as those of before there was a choice.
        """
        omitted = ("pad", *APRONS) if (self.pad, self.near, self.far) == ("none", (0, 0), (0, 0)) else ()
        return {name: value for name, value in asdict(self).items() if name not in omitted}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickerTiles:
    """Tiles that take more memory for a little less time."""

    size: int
    """px."""
    peak: int
    """Projected peak memory, bytes."""
    saving: float
    """Share of the time that they save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that was decided, and what it costs."""

    tiles: TilePlan
    costs: memory.MemoryCosts
    budget: int
    """Bytes."""
    workers: int
    """Blocks in flight, in each process."""
    sharing: ReadSharing
    """How what neighbouring blocks read in common is decoded once.

    It changes no pixel, so that every run decides it anew.
    """
    cropped_work: float = 1.0
    """Work of the network in the largest tile, as a share of that where it is computed whole."""
    quicker: QuickerTiles | None = None
    """What more memory would buy; None where this is the quickest."""
    buffers: dict[str, int] = field(default_factory=dict)
    """Projected peak memory of all processes of the budget by buffer, bytes."""
    on_device: dict[str, int] = field(default_factory=dict)
    """The same of one device with memory of its own; empty where there is none."""
    worker_layout: WorkerLayout = ONE_PROCESS

    def layout(self) -> BlockGrid:
        """The blocks, in the order in which they are read, and their tiles."""
        return self.tiles.layout().with_swaths(self.sharing.swaths)

    @property
    def peak(self) -> int:
        """Projected peak memory, bytes."""
        return sum(self.buffers.values())

    @property
    def tensors(self) -> int:
        """Of that, what the tensors of tiles take in one process, bytes.

        They are on their way through the network, and there whatever becomes of the heap.
        """
        sizes = self.on_device or {name: size // self.worker_layout.processes for name, size in self.buffers.items()}
        inputs, activations, logits = (sizes[name] for name in ("network input", "activations", "logits"))
        return (
            inputs
            + int(
                activations
                * MIN_ACTIVATION_FACTOR
                / memory.fragmentation_factor(self.worker_layout.streams, self.costs.fullness)
            )
            + logits
        )

    @property
    def fits_device(self) -> bool:
        """Whether its device has room for what is projected; always so where tensors lie in the budget."""
        return self.worker_layout.device is None or sum(self.on_device.values()) <= self.worker_layout.device

    @property
    def per_process(self) -> int:
        """Projected peak memory of one process that runs blocks, bytes."""
        return (self.peak - self.worker_layout.launcher_bytes) // self.worker_layout.processes
