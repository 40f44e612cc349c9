"""What halo a network needs, and whether it is exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.geometry.span import round_up
from pipeline.interfaces import Locality, Tolerated

MAX_LISTED_LAYERS = 3
"""Layers to blame that a sentence names; `plan` lists all of them once, with the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloDecision:
    """How tiles meet."""

    halo: int | None
    """px on each side, or None where tiles are blended instead."""
    exact: bool
    """Whether tiled equals whole by construction."""
    reason: str
    """One sentence for the plan, the report and the store."""
    tolerated: Tolerated | None = None
    """What was measured where a tolerance was asked for."""


def choose_halo(
    locality: Locality, requested: Literal["auto", "exact"] | int, overlap: Literal["auto"] | float, stride: int
) -> HaloDecision:
    """Choose between a halo and blending.

    Parameters
    ----------
    locality
        What was measured of the network.
    requested
        ``tile.halo`` of the config: ``auto``, ``exact`` or px.
    overlap
        ``tile.overlap`` of the config; above 0 it means blending.
    stride
        Multiple that halos are rounded up to, px.

    Raises
    ------
    ConfigError
        ``exact`` is asked of a network whose reach has no bound.
    """
    if overlap != "auto" and overlap > 0:
        return _blended("tile.overlap asks for blending")
    if isinstance(requested, int):
        return _requested_px(locality, round_up(requested, stride), requested)
    if locality.radius is not None and locality.verdict != "not local":
        return _exact(locality, round_up(locality.radius.largest, stride))
    if requested == "exact":
        raise ConfigError(
            f"tile.halo is exact, but the network is {locality.verdict} (layers to blame: "
            f"{_names(locality)}), so that no halo makes tiles "
            "equal the whole image. Use tile.halo: auto, which blends overlapping tiles, or give a halo in px."
        )
    return _blended(f"the network is {locality.verdict}; layers to blame: {_names(locality)}")


def by_tolerance(locality: Locality, tolerated: Tolerated, stride: int) -> HaloDecision:
    """The halo that was measured for a tolerance, or the exact one where that is no larger.

    Parameters
    ----------
    locality, tolerated
        What was measured of the network, and of it on the raster.
    stride
        Multiple that halos are rounded up to, px.
    """
    exact = round_up(locality.radius.largest, stride) if locality.radius else None
    if exact is not None and tolerated.halo >= exact:
        decision = _exact(locality, exact)
        return replace(
            decision,
            reason=f"{decision.reason}; no smaller halo keeps to the tolerance of {tolerated.tolerance:g}",
            tolerated=replace(tolerated, halo=exact),
        )
    instead = (
        f"the exact one is {exact} px"
        if exact is not None and locality.verdict == "local"
        else f"none is exact: the network is {locality.verdict}"
    )
    reason = (
        f"tolerance {tolerated.tolerance:g}: {tolerated.halo} px change no logit by more than "
        f"{tolerated.error:.1e} standard deviations in "
        f"{tolerated.places} places of the "
        f"raster ({tolerated.valid:.0%} valid, seed {tolerated.seed}); {instead}"
    )
    return HaloDecision(halo=tolerated.halo, exact=False, reason=reason, tolerated=tolerated)


def unmeasured(locality: Locality, tolerance: float, seed: int, stride: int) -> HaloDecision:
    """The exact halo, where a tolerance was asked for and no valid pixel was found to measure it on.

    Raises
    ------
    ConfigError
        There is no exact halo.
    """
    if locality.radius is None or locality.verdict == "not local":
        raise ConfigError(
            "tile.halo asks for a tolerance, but no valid pixel was found to measure it on. Give tile.halo: "
            "auto, which blends overlapping tiles."
        )
    decision = _exact(locality, round_up(locality.radius.largest, stride))
    tolerated = Tolerated(
        tolerance=tolerance, halo=round_up(locality.radius.largest, stride), error=0.0, places=0, valid=0.0, seed=seed
    )
    return replace(
        decision, reason=f"{decision.reason}; no valid pixel was found to measure a tolerance on", tolerated=tolerated
    )


def _exact(locality: Locality, halo: int) -> HaloDecision:
    radius = locality.radius.largest if locality.radius else 0
    if locality.verdict == "local":
        return HaloDecision(
            halo=halo, exact=True, reason=f"radius {radius} px rounded up to the stride: tiled equals whole"
        )
    reason = f"radius {radius} px as far as probes can see; unproven, because of: {_names(locality)}"
    return HaloDecision(halo=halo, exact=False, reason=reason)


def _requested_px(locality: Locality, halo: int, requested: int) -> HaloDecision:
    rounded = "" if halo == requested else f", rounded up to {halo} for the stride"
    if locality.verdict == "local" and locality.radius is not None and halo >= locality.radius.largest:
        return HaloDecision(
            halo=halo, exact=True, reason=f"{requested} px given{rounded}; at least the radius: tiled equals whole"
        )
    radius_text = "has no bound" if locality.radius is None else f"is {locality.radius.largest} px"
    return HaloDecision(
        halo=halo,
        exact=False,
        reason=f"{requested} px given{rounded}, but the radius {radius_text}: seams are possible",
    )


def _blended(reason: str) -> HaloDecision:
    return HaloDecision(halo=None, exact=False, reason=f"{reason}; overlapping tiles are blended, seams are possible")


def _names(locality: Locality) -> str:
    names, more = (
        ", ".join(locality.blame[:MAX_LISTED_LAYERS]) or "not identified",
        len(locality.blame) - MAX_LISTED_LAYERS,
    )
    return f"{names} and {more} more" if more > 0 else names
