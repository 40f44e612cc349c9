"""A network's halo profile on the user's raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pipeline.geometry.span import round_down, round_up
from pipeline.inference.normalise import Normalisation
from pipeline.inspect.halo import profile as halo_profile
from pipeline.inspect.halo.profile import HaloProfile
from pipeline.inspect.halo.raster_windows import ProbeWindow, probe_windows
from pipeline.interfaces import Locality, Network, Source

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea

MAX_PROFILE_REACH = 512
"""How far a profile goes where the reach has no bound, px."""
MIN_WINDOW_SIDE = 256
"""Side of a window at the least, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOnRaster:
    """A network that looks at a raster."""

    source: Source
    network: Network
    locality: Locality
    normalisation: Normalisation
    device: torch.device
    multiple: int
    """Sizes are multiples of this, px."""
    room: int
    """Longest window that the memory allows, px."""
    area: RequestedArea | None = None
    """What is asked for, or None for everything."""

    def identity(self) -> dict[str, Any]:
        """All that decides what is measured of it."""
        return {
            "network": self.network.identity(),
            "source": self.source.identity(),
            "normalisation": self.normalisation.as_dict(),
            "device": str(self.device),
            "sizes": [self.multiple, self.side, self.cut],
            "area": None if self.area is None else self.area.digest,
        }

    @property
    def reach(self) -> int:
        """How far the profile is to go, px."""
        return (
            round_up(self.locality.radius.largest if self.locality.radius else MAX_PROFILE_REACH, self.multiple)
            + 2 * self.multiple
        )

    @property
    def side(self) -> int:
        """Of the windows: twice as long as the reach, or as long as there is room, px."""
        room = round_down(
            min(max(self.room, 2 * self.multiple), self.network.accepts.maximum or self.room), 2 * self.multiple
        )
        return max(min(round_up(max(2 * self.reach, MIN_WINDOW_SIDE), 2 * self.multiple), room), 2 * self.multiple)

    def core(self, halo: int) -> int:
        """The smallest core, px, of which a tile with a halo may be cut that the network takes."""
        minimum = max(self.locality.minimum, self.network.accepts.minimum) - 2 * halo
        return max(round_up(max(minimum, 1), self.multiple), 2 * self.multiple)

    @property
    def cut(self) -> int:
        """Pixels by which windows are cut: the reach, or less.

        What is kept is never smaller than half of the window or than the network takes, px.
        """
        minimum = max(self.locality.minimum, self.network.accepts.minimum)
        return max(
            round_down(min(self.reach, self.side // 2, round_down(self.side - minimum, self.multiple)), self.multiple),
            0,
        )


def profile(on_raster: NetworkOnRaster, count: int, seed: int) -> tuple[HaloProfile, list[ProbeWindow]] | None:
    """Measure in several places of the raster, the most valid of some at random; and the places.

    None where no valid pixel was found.
    """
    windows = probe_windows(
        on_raster.source,
        on_raster.normalisation,
        on_raster.device,
        side=on_raster.side,
        multiple=on_raster.multiple,
        count=count,
        seed=seed,
        area=on_raster.area,
    )
    return (halo_profile.measure_halo_profile(on_raster.network, windows, on_raster.cut), windows) if windows else None
