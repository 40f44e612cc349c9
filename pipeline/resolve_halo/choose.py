"""The smallest halo that keeps to a tolerance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import ConfigError
from pipeline.locality.halo_profile import HaloProfile
from pipeline.plan.halo import Tolerated
from pipeline.protocols import Network
from pipeline.raster.span import round_down
from pipeline.resolve_halo.places import Place
from pipeline.resolve_halo.profile import Sight, profile


def choose(sight: Sight, tolerance: float, count: int, seed: int) -> Tolerated:
    """Measure the halo profile, take the smallest halo that keeps to the tolerance, and confirm it on tiles that are cut off on all four sides.

    Parameters
    ----------
    sight
        A network and a raster.
    tolerance
        Largest error of any logit, in standard deviations of the logits.
    count, seed
        How many places, and of which draw.

    Raises
    ------
    ConfigError
        No halo that was measured keeps to it, or none can be measured: the network takes one size only.
    """
    if sight.cut < sight.multiple:
        raise ConfigError(
            f"tile.halo asks for a tolerance, but windows of {sight.side} px are all that the network or execution.memory allows, so that nothing of "
            "them can be cut off and compared. Give tile.halo in px or auto, or more memory."
        )
    found, seen = profile(sight, count, seed)
    halo, error = _confirmed(sight, found, seen, tolerance)
    return Tolerated(tolerance=tolerance, halo=halo, error=error, places=found.windows, valid=found.valid, seed=seed)


def _confirmed(sight: Sight, found: HaloProfile, seen: list[Place], tolerance: float) -> tuple[int, float]:
    """From the profile's halo upwards, the first that leaves no more than the tolerance, and what it leaves."""
    halo = found.halo_for(tolerance, sight.multiple)
    while halo is not None and halo + sight.multiple <= min(len(found.largest), sight.side // 2):
        error = max(found.error(halo), left_over(sight.network, seen, halo, sight.multiple) / found.std)
        if error <= tolerance:
            return halo, error
        halo += sight.multiple
    raise ConfigError(_unreachable(sight, found, tolerance))


def left_over(network: Network, windows: Iterable[Place], halo: int, multiple: int) -> float:
    """Largest error of any valid logit in the middle of tiles cut out of windows, each a core as small as can be with a halo.

    Around a tile as much of the window is cut off as there is::

        |......................|     window: the whole
        |......|hhhccchhh|.....|     tile: h is seen, c is compared
    """
    return max((_error(network, x, valid, halo, multiple) for x, valid in windows), default=0.0)


def _error(network: Network, x: torch.Tensor, valid: npt.NDArray[np.bool_], halo: int, multiple: int) -> float:
    side = x.shape[2]
    start = round_down((side - 2 * halo - 2 * multiple) // 2, multiple)
    stop = side - start
    core = slice(start + halo, stop - halo)
    whole, tile = network(x)[0, :, core, core], network(x[:, :, start:stop, start:stop])[0]
    apart = (tile[:, halo : tile.shape[1] - halo, halo : tile.shape[2] - halo] - whole).abs().amax(0)
    known = apart[torch.from_numpy(valid[core, core]).to(apart.device)]
    return float(known.max()) if known.numel() else 0.0


def _unreachable(sight: Sight, found: HaloProfile, tolerance: float) -> str:
    farthest = round_down(len(found.largest) - 1, sight.multiple)
    names = f" (layers to blame: {', '.join(sight.locality.blame)})" if sight.locality.blame else ""
    return (
        f"tile.halo.tolerance is {tolerance:g} standard deviations of the logits, but at {farthest} px, as far as was measured, a cut still changes them by "
        f"{found.error(farthest):.1e}: the network is {sight.locality.verdict}{names}. Give a larger tolerance, or tile.halo: auto"
        f"{', which is exact' if sight.locality.verdict == 'local' else ', which blends overlapping tiles'}."
    )
