"""The sockets: what a source, a network and an engine must offer, whatever their kind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.geometry.grid import Grid
from pipeline.geometry.margin import Margin
from pipeline.geometry.window import Window

if TYPE_CHECKING:
    import torch

    from pipeline.config import AddressConfig, InputBands, SlurmConfig


CAUSES = (
    "",
    "nodata",
    "never written",
    "mask",
    "alpha",
    "NaN or infinity",
    "beyond float32",
    "quality",
    "unreadable",
)
"""What makes pixels invalid, by its code in `Pixels.causes`; 0 is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Raw pixels of one window."""

    data: npt.NDArray[Any]
    """(bands, rows, cols), the file's dtype; anything where invalid or outside the raster."""
    valid: npt.NDArray[np.bool_]
    """(rows, cols); False where nodata, masked, NaN or outside the raster."""
    causes: npt.NDArray[np.uint8] | None = None
    """(rows, cols) codes of `CAUSES`, 0 where valid or outside the raster; None where all of the raster is valid."""
    decoded: int = 0
    """Pixels of the file's own blocks that were decoded for these; what was decoded before for others does not
    count."""


class Source(Protocol):
    """A raster that is read by windows. Safe from many threads; pickles as a spec and opens lazily."""

    @property
    def grid(self) -> Grid:
        """Size and georeference."""

    @property
    def bands(self) -> int:
        """Number of bands read."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the raw pixels."""

    @property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the file's own compressed blocks, px: what one read decodes at least."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of how it is read: what is left out, changed, or taken as unknown."""

    @property
    def rgb(self) -> tuple[int, ...]:
        """Which of the bands read, from 0, are red, green and blue; empty where that is not known."""

    @property
    def open_files(self) -> int:
        """Bytes that files hold while they are open, beside GDAL's cache and what is read.

        0 unless the raster is put together from many, or holds decoded tiles of its own.
        """

    @property
    def working_bytes(self) -> int:
        """Bytes that a read holds at most beside the pixels that it returns; 0 unless these are made of others."""

    def read(self, window: Window) -> Pixels:
        """Read a window, which may reach beyond the raster. Raises ReadError."""

    def identity(self) -> dict[str, Any]:
        """What makes this source this source: path, size, mtime or ETag, grid, bands, nodata."""


IGNORE = 65535
"""Class code of pixels of which nothing is known: no class may have it."""


class Labels(Protocol):
    """What is known of an image, on the image's grid. Safe from many threads; pickles as a spec and opens lazily."""

    @property
    def grid(self) -> Grid:
        """The grid of the image that the labels were laid on."""

    def read(self, window: Window) -> npt.NDArray[np.uint16]:
        """(rows, cols) class codes of a window, which may reach beyond the image, the caller's to change.

        IGNORE where nothing is known. Raises LabelsError.
        """


class Device(Protocol):
    """Where a network computes, such as ``torch.device``; as text its kind, with a number where it has one."""

    @property
    def type(self) -> str:
        """Torch's name of the kind."""

    @property
    def index(self) -> int | None:
        """Which of several; None where that is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConstraints:
    """Input sizes a network takes, per axis (both alike), and its batch."""

    minimum: int = 1
    """Smallest height and width, px."""
    maximum: int | None = None
    """Largest height and width, px; equal to the minimum for a fixed size."""
    multiple: int = 1
    """Heights and widths are whole multiples of this."""
    batch: int | None = None
    """Fixed batch size, or None for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation of a network, as it ran where torch does not see it."""

    kind: str
    """Its operator, such as Conv."""
    name: str
    attributes: dict[str, Any]
    input_shapes: tuple[tuple[int, ...], ...]
    """Shape of each input."""
    output_shape: tuple[int, ...]
    """Shape of the first output."""
    values: tuple[tuple[float, ...] | None, ...]
    """Numbers of each input, where they are few."""
    depends_on_image: tuple[bool, ...]
    """Whether each input descends from the image."""
    captures: bool
    """Whether its branches use what descends from the image."""
    input_change: float
    """Largest share of an input's values that differ on another image."""
    output_change: float
    """Share of the output's values that do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """What made a value."""

    operation: str
    """Torch's name of it, without underscores at its ends; empty of what nothing made, such as the image."""
    inputs: tuple[Any, ...] = ()
    """Origins of tensors, and plain values as they are, in order."""
    shape: tuple[int, ...] = ()
    """Of the value; empty where it is not known."""
    place: int = 0
    """Among what the operation returned."""


class Graph(Protocol):
    """What a network is made of, where it runs outside of torch, which sees neither its operations nor its memory."""

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""

    @property
    def outputs(self) -> Mapping[str, tuple[int | None, ...]]:
        """Name and shape of all that it returns; None of lengths that vary."""

    @property
    def answer(self) -> str:
        """Name of the output that is taken."""

    def origin(self) -> Origin:
        """What made the output that is taken."""

    def peak(self, bands: int, side: int) -> int:
        """Bytes at the peak of one square image, beyond the input."""

    def steps(
        self, x: torch.Tensor, other: torch.Tensor | None = None, kinds: frozenset[str] | None = None
    ) -> list[Step]:
        """Every operation of some kinds as it runs on an image, compared with its run on another.

        Images are (1, bands, rows, cols).
        """


class Network(Protocol):
    """A loaded network on its device, in eval mode. Called by one thread at a time."""

    @property
    def module(self) -> torch.nn.Module:
        """What is called: eager, ScriptModule or GraphModule."""

    @property
    def accepts(self) -> InputConstraints:
        """What the file itself says about sizes."""

    @property
    def key(self) -> str:
        """``model.output.key``: the entry of what it returns."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was unwrapped and left out of its weights file, in words."""

    @property
    def graph(self) -> Graph | None:
        """What it is made of, where torch does not see it run."""

    @property
    def leaves_torch(self) -> bool:
        """Whether any of it runs in another library."""

    @property
    def inputs(self) -> tuple[InputBands, ...]:
        """Inputs to which the bands go, in their order; empty of a network of one."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) float32 → logits (n, classes, rows, cols) float32, upsampled to the input's size."""

    def with_fixed_size(self, size: int) -> Self:
        """The same network, that is given no other size, px."""

    def with_maximum(self, maximum: int, multiple: int = 1) -> Self:
        """The same network, that is given no larger size, px, and multiples of a number alone."""

    def with_margin(self, margin: Margin) -> Self:
        """The same network, that returns as many pixels as it is given: 0 in its margins."""

    def identity(self) -> dict[str, Any]:
        """Kind and SHA-256 of the bytes that make it what it is."""

    def returns_same_output(self, key: str) -> bool:
        """Whether another ``model.output.key`` names the same of what it returns."""


AnyNetwork = TypeVar("AnyNetwork", bound=Network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """How far an output pixel looks beyond an aligned cut, px, per side."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def largest(self) -> int:
        """The largest of the four."""
        return max(self.top, self.bottom, self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReach:
    """How far an output pixel looks in one input of a network of several."""

    name: str
    radius: Radius | None
    """None where the reach has no bound."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> InputReach:
        """From its plain values."""
        return cls(name=values["name"], radius=Radius(**values["radius"]) if values["radius"] else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locality:
    """What was measured of a network."""

    verdict: str
    """``local``, ``not local`` or ``unproven``."""
    stride: int
    """Period with which it commutes with shifts, px."""
    radius: Radius | None
    """None where the reach has no bound."""
    bands: int
    """Input bands it was measured with."""
    classes: int
    """Channels of its logits."""
    minimum: int
    """Smallest input it takes, px."""
    blame: tuple[str, ...] = field(default=())
    """Layers that make it not local or unproven."""
    size: int | None = None
    """The one size that it takes, px, by its file or by trying; None where it takes several."""

    returns: str = ""
    """``probability``, ``logarithm`` of one, ``label``, or ``scaled`` probability, where that is known; else empty."""
    ending: str = ""
    """The operation by which that is known, in words."""
    between: str = ""
    """``softmax`` or ``sigmoid`` where all that was returned for noise lies in 0…1 as theirs does; a guess, and empty
    where it does not."""
    remarks: tuple[str, ...] = ()
    """What else is to be said of what it returns."""
    margin: Margin | None = None
    """Of an unpadded network."""
    maximum: int | None = None
    """The largest size that it takes, px, where its file does not say so and trying found one."""
    inputs: tuple[InputReach, ...] = ()
    """Of a network of several inputs that takes several sizes; the radius is that of all inputs at once."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Locality:
        """From its plain values; those that an earlier release did not know are as they were then."""
        radius = Radius(**values["radius"]) if values["radius"] else None
        margin = Margin.of(values["margin"]) if values.get("margin") else None
        return cls(
            **{
                **values,
                "radius": radius,
                "blame": tuple(values["blame"]),
                "remarks": tuple(values.get("remarks", ())),
                "margin": margin,
                "inputs": tuple(InputReach.of(entry) for entry in values.get("inputs", ())),
            }
        )

    def apply_to(self, network: AnyNetwork) -> AnyNetwork:
        """The network with the size, the largest size or the margin that was found."""
        if self.maximum is not None:
            network = network.with_maximum(self.maximum)
        if self.margin is not None:
            return network.with_margin(self.margin)
        return network if self.size is None else network.with_fixed_size(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerated:
    """A halo that keeps to a tolerance on the user's own pixels."""

    tolerance: float
    """Largest error of any logit that is allowed, in standard deviations of the logits."""
    halo: int
    """px on each side."""
    error: float
    """Largest that was measured, likewise."""
    places: int
    """Windows that were looked at."""
    valid: float
    """Share of valid pixels in them."""
    seed: int
    """Of the places."""


class Engine(Protocol):
    """Runs one function over many blocks, a bounded number in flight."""

    def __call__(self, work: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        """Yield the results as they come, in any order."""


class ReadinessCheck(Protocol):
    """What a process needs before it may run blocks; small, and pickles."""

    def __call__(self, room: int | None) -> tuple[str, ...]:
        """What lacks in this process, in words, given the bytes it may take.

        Nothing where all is there, and then it is ready to begin.
        """

    def abort(self) -> None:
        """Stop what is under way in this process at the next tile."""

    def release(self) -> None:
        """Let go of what this process opened for the run."""


def to_stderr(line: str) -> None:
    """Print what happens, where nothing else is told of it."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is told beside the number of blocks in flight; each takes what concerns it."""

    dashboard: str | None = None
    """Address of the scheduler's dashboard, such as ``127.0.0.1:8787``; None for none."""
    processes: int = 1
    threads: int | None = None
    """Threads with which a process computes."""
    in_torch: bool = True
    """Whether processes compute with torch, which is then imported before they are forked."""
    gpus: tuple[str, ...] = ()
    """What the driver calls the GPU of each process; none for the CPU."""
    patience: float = 600.0
    """Seconds without any worker after which the run gives up."""
    slurm: SlurmConfig | None = None
    address: AddressConfig | None = None
    needs: ReadinessCheck | None = None
    """What each process is asked at the start; None for nothing."""
    notify: Callable[[str], None] = to_stderr
    """Told of workers that come, lack something, or go."""


DEFAULT_OPTIONS = EngineOptions()


class EngineMaker(Protocol):
    """Opens an engine and closes it at the end."""

    def __call__(self, workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> AbstractContextManager[Engine]:
        """An engine with so many blocks in flight in each process."""
