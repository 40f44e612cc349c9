"""The smallest halo that keeps to a tolerance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import ConfigError
from pipeline.geometry.span import round_down
from pipeline.inspect.halo.on_raster import NetworkOnRaster, profile
from pipeline.inspect.halo.profile import HaloProfile
from pipeline.inspect.halo.raster_windows import ProbeWindow
from pipeline.interfaces import Tolerated

CORE_POSITIONS = 16
"""Per axis of a window, at which a core is tried."""


def halo_for_tolerance(on_raster: NetworkOnRaster, tolerance: float, count: int, seed: int) -> Tolerated | None:
    """Measure the halo profile, and take the smallest halo that keeps to the tolerance.

    The halo is confirmed on tiles that are cut off on all four sides.

    Parameters
    ----------
    on_raster
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
    if on_raster.cut < on_raster.multiple:
        raise ConfigError(
            f"tile.halo asks for a tolerance, but windows of {on_raster.side} px are all that the network "
            f"or execution.memory allows, so that nothing of "
            "them can be cut off and compared. Give tile.halo in px or auto, or more memory."
        )
    measured = profile(on_raster, count, seed)
    if measured is None:
        return None
    halo, error = _confirmed_halo(on_raster, *measured, tolerance)
    return Tolerated(
        tolerance=tolerance, halo=halo, error=error, places=measured[0].windows, valid=measured[0].valid, seed=seed
    )


def _confirmed_halo(
    on_raster: NetworkOnRaster, halo_profile: HaloProfile, windows: list[ProbeWindow], tolerance: float
) -> tuple[int, float]:
    """From the profile's halo upwards, the first that leaves no more than the tolerance, and what it leaves."""
    halo = halo_profile.halo_for(tolerance, on_raster.multiple)
    while halo is not None and halo < len(halo_profile.largest) and 2 * halo + on_raster.core(halo) <= on_raster.side:
        error = max(halo_profile.error(halo), residual_error(on_raster, windows, halo) / halo_profile.std)
        if error <= tolerance:
            return halo, error
        halo += on_raster.multiple
    raise ConfigError(_unreachable(on_raster, halo_profile, tolerance))


def residual_error(on_raster: NetworkOnRaster, windows: Iterable[ProbeWindow], halo: int) -> float:
    """Largest error of any valid logit in tiles cut out of windows.

    Each tile is a core as small as can be, where most is valid, with a halo.

    Around a tile as much of the window is cut off as there is::

        |......................|     window: the whole
        |......|hhhccchhh|.....|     tile: h is seen, c is compared
    """
    return max((_error(on_raster, x, valid, halo) for x, valid in windows), default=0.0)


def _error(on_raster: NetworkOnRaster, x: torch.Tensor, valid: npt.NDArray[np.bool_], halo: int) -> float:
    rows, cols = _most_valid(valid, halo, on_raster.core(halo), on_raster.multiple)
    tile = on_raster.network(x[:, :, rows.start - halo : rows.stop + halo, cols.start - halo : cols.stop + halo])[0]
    difference = (
        (tile[:, halo : tile.shape[1] - halo, halo : tile.shape[2] - halo] - on_raster.network(x)[0, :, rows, cols])
        .abs()
        .amax(0)
    )
    valid_difference = difference[torch.from_numpy(valid[rows, cols]).to(difference.device)]
    return float(valid_difference.max()) if valid_difference.numel() else 0.0


def _most_valid(valid: npt.NDArray[np.bool_], halo: int, core: int, multiple: int) -> tuple[slice, slice]:
    """Of places for a core, aligned and with room for its halo, the one with most valid pixels.

    Of several such places, the nearest to the middle.
    """
    last = len(valid) - 2 * halo - core
    step = max(max(core // 2, last // CORE_POSITIONS) // multiple, 1) * multiple
    starts = [halo + start for start in range(0, last + 1, step)]
    places = [(slice(row, row + core), slice(col, col + core)) for row in starts for col in starts]
    middle = (len(valid) - core) / 2
    return max(
        places,
        key=lambda place: (int(valid[place].sum()), -abs(place[0].start - middle) - abs(place[1].start - middle)),
    )


def _unreachable(on_raster: NetworkOnRaster, halo_profile: HaloProfile, tolerance: float) -> str:
    farthest = round_down(len(halo_profile.largest) - 1, on_raster.multiple)
    names = f" (layers to blame: {', '.join(on_raster.locality.blame)})" if on_raster.locality.blame else ""
    return (
        f"tile.halo.tolerance is {tolerance:g} standard deviations of the logits, but at {farthest} px, as "
        f"far as was measured, a cut still changes them by "
        f"{halo_profile.error(farthest):.1e}: the network is {on_raster.locality.verdict}{names}. Give a "
        f"larger tolerance, or tile.halo: auto"
        f"{', which is exact' if on_raster.locality.verdict == 'local' else ', which blends overlapping tiles'}."
    )
