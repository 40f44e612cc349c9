"""What a runtime must offer, whatever runs a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.models.array_network import OpenedRun
    from pipeline.models.cropping.network import CroppedNetwork

RELEASE_PARTS = 2
"""Of a version such as 2026.4.1, those within which kernels are taken for the same."""


def installed_release(package: str) -> str:
    """Such as 2026.4 of a package of pip; empty where it is not installed."""
    try:
        return ".".join(version(package).split(".")[:RELEASE_PARTS])
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library beside torch that runs networks on one kind of device."""

    name: str
    """As messages call it."""
    package: str
    """Of pip, whose release a store keeps to."""
    extra: str
    """Of this package, which installs it."""
    kind: str
    """torch's name of the kind of device."""
    devices: str
    """The devices of that kind, in words."""

    def release(self) -> str:
        """The release that is installed, such as 2026.4; empty where there is none."""
        return installed_release(self.package)

    def obstacle(self, network: Loaded, device: Device) -> str | None:
        """Why it cannot run a network of torch on a device; None where it can."""
        if device.type != self.kind:
            return f"{self.name} is run on {self.devices} alone, and execution.device is {device}"
        if not self.release():
            return f"{self.name} is not installed; install it with pip install 'wholecloth[{self.extra}]'"
        if isinstance(network, Ensemble):
            return f"several networks, or one whose classes are added up, are not run by {self.name} yet"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeMemory:
    """What a runtime takes beside torch's own tensors, measured."""

    libraries: int
    """Bytes of its libraries, and of the network as it keeps it."""
    bytes_per_pixel: float
    """Resident bytes per pixel of the network's input at the peak of a run, beyond the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a network in a runtime without running it, by which ``auto`` decides."""

    operators: frozenset[str]
    """The runtime's names of its operators."""
    fixed_numbers: bool
    """Whether its code took numbers of the image for constants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One runtime: a row of the table is one of these.

    Networks are on their device, in eval mode. Shapes are (batch, bands, rows, cols) of an image that they take.
    """

    obstacle: Callable[[Loaded, Device], str | None]
    """Why it cannot run a network on a device, or None. Nothing is computed for the answer."""
    run: Callable[[Loaded, Sequence[int]], Loaded]
    """The same network, run by it. Raises ModelError where it cannot be taken."""
    noun: str
    """What messages call a network that it runs."""
    single: bool
    """Whether it computes one tile at a time, on all threads."""
    native: bool = False
    """Whether it is what a network was loaded for, with which others are compared."""
    extra: str = ""
    """Extra of the package that installs it; empty of what is always there."""
    package: str = ""
    """Of pip, whose release `release` tells; empty where that is the runtime's name."""
    release: Callable[[], str] = str
    """The release that is installed, as far as a store keeps to it, such as 2026.4; empty where a store keeps to
    none."""
    facts: Callable[[Loaded], Facts] | None = None
    """Facts of a network that `run` returned; None of what ``auto`` never takes."""
    crop: Callable[[Loaded, torch.Tensor], CroppedNetwork] | None = None
    """A network that `run` returned as it computes a part of a tile, seen on a small image (1, bands, rows, cols).

    Raises Unsupported where something of it is not cropped. None where tiles are computed whole."""
    memory: Callable[[Loaded, Sequence[int], Sequence[int], int], RuntimeMemory] | None = None
    """Measures what a network that `run` returned takes, of two shapes that differ and a number of threads.

    None where the allocator of torch sees all of it."""
    arrays: Callable[[Loaded, Sequence[int]], OpenedRun | None] | None = None
    """Opens a network, of the shape that `run` takes, for arrays on the CPU: one that was loaded, or a recorded one.

    None in place of what it opens means that the network has to be loaded with torch first. None in place of the
    function: the runtime takes no arrays."""
