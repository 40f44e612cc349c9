"""What each halo would cost, and what it would leave."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.geometry.span import round_up
from pipeline.inspect.halo.profile import HaloProfile
from pipeline.interfaces import Locality

TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4)
"""In standard deviations of the logits; 1e-3 is what a mask hardly shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloCost:
    """One choice of a halo."""

    halo: int
    """Px."""
    error: float | None
    """Largest error it leaves, in standard deviations of the logits; None where no cut could be compared."""
    differing: float | None
    """Share of labels that differ, or None where tiles leave no core or no cut could be compared."""
    arithmetic: float | None
    """Pixels that go through the network for each pixel of the mask, likewise."""
    exact: bool
    """Whether it is that of the radius."""


def cost_of_halos(profile: HaloProfile | None, locality: Locality, multiple: int, tile: int) -> tuple[HaloCost, ...]:
    """Halos worth knowing, in order: none, those that keep to a tolerance, quarters of the exact one, and that one.

    Parameters
    ----------
    profile
        Measured; without it only the halo of the radius is known.
    locality
        Measured; without a radius no halo is exact.
    multiple
        Halos are whole multiples of this, px.
    tile
        Longest tile, px: arithmetic is (tile / (tile − 2·halo))².
    """
    exact = round_up(locality.radius.largest, multiple) if locality.radius else None
    if profile is None:
        return () if exact is None else (_cost_of_halo(None, exact, tile, exact=True),)
    reach = len(profile.largest)
    quarters = [round_up(k * (reach if exact is None else exact) // 4, multiple) for k in range(4)]
    by_tolerance = [profile.halo_for(tolerance, multiple) for tolerance in TOLERANCES]
    halos = {
        halo for halo in (*quarters, *by_tolerance) if halo is not None and halo < (reach if exact is None else exact)
    } | ({exact} if exact is not None else set())
    return tuple(_cost_of_halo(profile, halo, tile, halo == exact) for halo in sorted(halos))


def _cost_of_halo(profile: HaloProfile | None, halo: int, tile: int, exact: bool) -> HaloCost:
    core = tile - 2 * halo
    return HaloCost(
        halo=halo,
        error=profile.error(halo) if profile else None,
        exact=exact,
        differing=profile.differing(halo, core) if profile and core > 0 else None,
        arithmetic=(tile / core) ** 2 if core > 0 else None,
    )
