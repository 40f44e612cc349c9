"""The smallest halo that keeps to a tolerance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import ConfigError
from pipeline.geometry.span import round_down
from pipeline.inspect.halo.on_raster import Sight, profile
from pipeline.inspect.halo.profile import HaloProfile
from pipeline.inspect.halo.raster_windows import Place
from pipeline.interfaces import Tolerated

PLACES = 16
"""Per axis of a window, at which a core is tried."""


def choose(sight: Sight, tolerance: float, count: int, seed: int) -> Tolerated | None:
    """Measure the halo profile, take the smallest halo that keeps to the tolerance, and confirm it on tiles that are cut off on all four sides.

    Parameters
    ----------
    sight
        A network and a raster.
    tolerance
        Largest error of any logit, in standard deviations of the logits.
    count, seed
        How many places, and of which draw.

    Returns
    -------
    Tolerated or None
        None where no valid pixel was found to measure it on.

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
    measured = profile(sight, count, seed)
    if measured is None:
        return None
    halo, error = _confirmed(sight, *measured, tolerance)
    return Tolerated(tolerance=tolerance, halo=halo, error=error, places=measured[0].windows, valid=measured[0].valid, seed=seed)


def _confirmed(sight: Sight, found: HaloProfile, seen: list[Place], tolerance: float) -> tuple[int, float]:
    """From the profile's halo upwards, the first that leaves no more than the tolerance, and what it leaves."""
    halo = found.halo_for(tolerance, sight.multiple)
    while halo is not None and halo < len(found.largest) and 2 * halo + sight.core(halo) <= sight.side:
        error = max(found.error(halo), left_over(sight, seen, halo) / found.std)
        if error <= tolerance:
            return halo, error
        halo += sight.multiple
    raise ConfigError(_unreachable(sight, found, tolerance))


def left_over(sight: Sight, windows: Iterable[Place], halo: int) -> float:
    """Largest error of any valid logit in tiles cut out of windows, each a core as small as can be, where most is valid, with a halo.

    Around a tile as much of the window is cut off as there is::

        |......................|     window: the whole
        |......|hhhccchhh|.....|     tile: h is seen, c is compared
    """
    return max((_error(sight, x, valid, halo) for x, valid in windows), default=0.0)


def _error(sight: Sight, x: torch.Tensor, valid: npt.NDArray[np.bool_], halo: int) -> float:
    rows, cols = _most_valid(valid, halo, sight.core(halo), sight.multiple)
    tile = sight.network(x[:, :, rows.start - halo : rows.stop + halo, cols.start - halo : cols.stop + halo])[0]
    apart = (tile[:, halo : tile.shape[1] - halo, halo : tile.shape[2] - halo] - sight.network(x)[0, :, rows, cols]).abs().amax(0)
    known = apart[torch.from_numpy(valid[rows, cols]).to(apart.device)]
    return float(known.max()) if known.numel() else 0.0


def _most_valid(valid: npt.NDArray[np.bool_], halo: int, core: int, multiple: int) -> tuple[slice, slice]:
    """Of places for a core, aligned and with room for its halo, the one with most valid pixels, the nearest to the middle of those."""
    most = len(valid) - 2 * halo - core
    step = max(max(core // 2, most // PLACES) // multiple, 1) * multiple
    starts = [halo + start for start in range(0, most + 1, step)]
    places = [(slice(row, row + core), slice(col, col + core)) for row in starts for col in starts]
    middle = (len(valid) - core) / 2
    return max(places, key=lambda place: (int(valid[place].sum()), -abs(place[0].start - middle) - abs(place[1].start - middle)))


def _unreachable(sight: Sight, found: HaloProfile, tolerance: float) -> str:
    farthest = round_down(len(found.largest) - 1, sight.multiple)
    names = f" (layers to blame: {', '.join(sight.locality.blame)})" if sight.locality.blame else ""
    return (
        f"tile.halo.tolerance is {tolerance:g} standard deviations of the logits, but at {farthest} px, as far as was measured, a cut still changes them by "
        f"{found.error(farthest):.1e}: the network is {sight.locality.verdict}{names}. Give a larger tolerance, or tile.halo: auto"
        f"{', which is exact' if sight.locality.verdict == 'local' else ', which blends overlapping tiles'}."
    )
