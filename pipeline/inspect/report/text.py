"""Findings for a person."""

from __future__ import annotations

import math

from pipeline.inspect.report.halo_costs import HaloCost
from pipeline.inspect.report.report import Findings

BAR = 24
"""Characters of a bar that stands for one standard deviation or more."""
DECADES = 7
"""Below one standard deviation; less is rounding."""


def rows(found: Findings) -> list[tuple[str, str]]:
    """A name and a sentence each."""
    locality, radius = found.locality, found.locality.radius
    return [
        ("parameters", f"{found.parameters:,}"),
        *[("weights", note) for note in found.weights],
        ("arithmetic", f"{_scaled(found.flops_per_pixel)}FLOP per px of the input"),
        ("memory", f"{found.bytes_per_pixel:.0f} bytes per px of the input"),
        ("input", f"{locality.bands} bands, {_sizes(found)}"),
        ("output", f"{locality.classes} channels"),
        ("stride", f"{locality.stride} px"),
        ("radius", f"top {radius.top}, bottom {radius.bottom}, left {radius.left}, right {radius.right} px" if radius else "no bound"),
        ("verdict", locality.verdict),
        ("to blame", ", ".join(locality.blame) or "nothing"),
        *[("note", note) for note in found.notes],
        ("profile", _measured(found)),
        *[("", line) for line in (table(found.halos) if found.halos else ())],
        ("advice", advice(found)),
    ]


def table(halos: tuple[HaloCost, ...]) -> list[str]:
    """The halos as lines of text, with a bar that is as long as the error's logarithm."""
    lines = ["   halo  largest error  labels that differ  arithmetic"]
    for halo in halos:
        differing = "–" if halo.differing is None else f"{halo.differing:.1e}" if halo.differing else "0"
        arithmetic = "–" if halo.arithmetic is None else f"{halo.arithmetic:.2f} ×"
        error = "–" if halo.error is None else f"{halo.error:.1e}"
        lines.append(f"{halo.halo:>4} px  {error:>13}  {differing:>18}  {arithmetic:>10}  {_bar(halo.error)}{'  exact' if halo.exact else ''}".rstrip())
    return lines


def advice(found: Findings) -> str:
    """What to do."""
    exact = next((halo for halo in found.halos if halo.exact), None)
    if found.profile is None:
        return _unmeasured(found, exact)
    if found.locality.verdict == "not local" or exact is None:
        return (
            f"no halo makes tiles equal the whole: at {found.halos[-1].halo} px the error is still {found.halos[-1].error:.1e}. Tiles are blended; set "
            "model.input.size to the size it was trained on, and look at seams before trusting areas."
        )
    known = "" if found.locality.verdict == "local" else "as far as was seen, "
    if exact.arithmetic is None:
        return f"{known}tiles of {found.tile} px leave no core beside the exact halo of {exact.halo} px: give more memory, or a larger tile.size."
    said = f"{known}tile.halo: exact ({exact.halo} px) equals the whole for {exact.arithmetic:.2f} × the arithmetic at tiles of {found.tile} px"
    near = found.profile.halo_for(1e-3, found.multiple)
    cheaper = next((halo for halo in found.halos if halo.halo == near and halo.halo < exact.halo and halo.arithmetic), None)
    if cheaper is None or cheaper.arithmetic is None:
        return f"{said}; no smaller one keeps the error below 1e-3 here."
    saved = 1 - cheaper.arithmetic / exact.arithmetic
    return f"{said}. tile.halo: {cheaper.halo} would leave at most {cheaper.error:.0e} on these places for {cheaper.arithmetic:.2f} ×, {saved:.0%} less."


def _sizes(findings: Findings) -> str:
    only = findings.locality.size
    return f"at least {findings.locality.minimum} px, multiples of {findings.multiple} px" if only is None else f"{only} px only"


def _unmeasured(findings: Findings, exact: HaloCost | None) -> str:
    """What to do where no image could be cut and compared."""
    if exact is None or exact.arithmetic is None:
        return "no halo is known to be enough. Tiles are blended; set model.input.size to the size it was trained on, and look at seams before trusting areas."
    return (
        f"tile.halo: exact ({exact.halo} px) is as far as the network was seen to look, for {exact.arithmetic:.2f} × the arithmetic; whether a smaller one "
        "would do cannot be seen."
    )


def _measured(found: Findings) -> str:
    profile = found.profile
    if profile is None:
        return f"none: tiles of {found.tile} px are all that the network or execution.memory allows, so that nothing of them can be cut off and compared"
    return (
        f"cuts in {profile.windows} places of the raster ({profile.valid:.0%} valid), errors in standard deviations of the logits ({profile.std:.3g}), "
        f"arithmetic at tiles of {found.tile} px"
    )


def _bar(error: float | None) -> str:
    if error is None or not error > 0:
        return ""
    return "█" * max(0, min(BAR, round(BAR * (1 + math.log10(error) / DECADES))))


def _scaled(number: float) -> str:
    """1234567 → '1.23 M'."""
    power = max(0, min(4, int(math.log10(max(number, 1))) // 3))
    return f"{number / 1000**power:.3g} {['', 'k', 'M', 'G', 'T'][power]}"
