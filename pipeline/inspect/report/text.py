"""Findings for a person."""

from __future__ import annotations

import math

from pipeline.inspect.report.halo_costs import HaloCost
from pipeline.inspect.report.inputs import input_sentences
from pipeline.inspect.report.report import NetworkReport

BAR = 24
"""Characters of a bar that stands for one standard deviation or more."""
DECADES = 7
"""Below one standard deviation; less is rounding."""


def rows(report: NetworkReport) -> list[tuple[str, str]]:
    """A name and a sentence each."""
    locality, radius = report.locality, report.locality.radius
    return [
        ("parameters", f"{report.parameters:,}"),
        *[("weights", note) for note in report.weights],
        ("arithmetic", f"{_scaled(report.flops_per_pixel)}FLOP per px of the input"),
        ("memory", f"{report.bytes_per_pixel:.0f} bytes per px of the input"),
        ("input", f"{locality.bands} bands, {_sizes(report)}"),
        *[("", sentence) for sentence in input_sentences(report.inputs)],
        ("output", f"{locality.classes} channels"),
        ("stride", f"{locality.stride} px"),
        (
            "radius",
            f"top {radius.top}, bottom {radius.bottom}, left {radius.left}, right {radius.right} px"
            if radius
            else "no bound",
        ),
        ("verdict", locality.verdict),
        ("to blame", ", ".join(locality.blame) or "nothing"),
        *[("note", note) for note in report.notes],
        ("profile", _measured(report)),
        *[("", line) for line in (table(report.halos) if report.halos else ())],
        ("advice", advice(report)),
    ]


def table(halos: tuple[HaloCost, ...]) -> list[str]:
    """The halos as lines of text, with a bar that is as long as the error's logarithm."""
    lines = ["   halo  largest error  labels that differ  arithmetic"]
    for halo in halos:
        differing = "–" if halo.differing is None else f"{halo.differing:.1e}" if halo.differing else "0"
        arithmetic = "–" if halo.arithmetic is None else f"{halo.arithmetic:.2f} ×"
        error = "–" if halo.error is None else f"{halo.error:.1e}"
        lines.append(
            f"{halo.halo:>4} px  {error:>13}  {differing:>18}  {arithmetic:>10}  "
            f"{_bar(halo.error)}{'  exact' if halo.exact else ''}".rstrip()
        )
    return lines


def advice(report: NetworkReport) -> str:
    """What to do."""
    exact = next((halo for halo in report.halos if halo.exact), None)
    if report.profile is None:
        return _unmeasured(report, exact)
    if report.locality.verdict == "not local" or exact is None:
        return (
            f"no halo makes tiles equal the whole: at {report.halos[-1].halo} px the error is still "
            f"{report.halos[-1].error:.1e}. Tiles are blended; set "
            "model.input.size to the size it was trained on, and look at seams before trusting areas."
        )
    caveat = "" if report.locality.verdict == "local" else "as far as was seen, "
    if exact.arithmetic is None:
        return (
            f"{caveat}tiles of {report.tile} px leave no core beside the exact halo of {exact.halo} px: "
            f"give more memory, or a larger tile.size."
        )
    sentence = (
        f"{caveat}tile.halo: exact ({exact.halo} px) equals the whole for {exact.arithmetic:.2f} × "
        f"the arithmetic at tiles of {report.tile} px"
    )
    near = report.profile.halo_for(1e-3, report.multiple)
    cheaper = next(
        (halo for halo in report.halos if halo.halo == near and halo.halo < exact.halo and halo.arithmetic), None
    )
    if cheaper is None or cheaper.arithmetic is None:
        return f"{sentence}; no smaller one keeps the error below 1e-3 here."
    saved = 1 - cheaper.arithmetic / exact.arithmetic
    return (
        f"{sentence}. tile.halo: {cheaper.halo} would leave at most {cheaper.error:.0e} on these places "
        f"for {cheaper.arithmetic:.2f} ×, {saved:.0%} less."
    )


def _sizes(report: NetworkReport) -> str:
    only = report.locality.size
    return (
        f"at least {report.locality.minimum} px, multiples of {report.multiple} px"
        if only is None
        else f"{only} px only"
    )


def _unmeasured(report: NetworkReport, exact: HaloCost | None) -> str:
    """What to do where no image could be cut and compared."""
    if exact is None or exact.arithmetic is None:
        return (
            "no halo is known to be enough. Tiles are blended; set model.input.size to the size it was "
            "trained on, and look at seams before trusting areas."
        )
    return (
        f"tile.halo: exact ({exact.halo} px) is as far as the network was seen to look, for "
        f"{exact.arithmetic:.2f} × the arithmetic; whether a smaller one "
        "would do cannot be seen."
    )


def _measured(report: NetworkReport) -> str:
    profile = report.profile
    if profile is None:
        return (
            f"none: tiles of {report.tile} px are all that the network or execution.memory allows, so "
            f"that nothing of them can be cut off and compared"
        )
    return (
        f"cuts in {profile.windows} places of the raster ({profile.valid:.0%} valid), errors in standard "
        f"deviations of the logits ({profile.std:.3g}), "
        f"arithmetic at tiles of {report.tile} px"
    )


def _bar(error: float | None) -> str:
    if error is None or not error > 0:
        return ""
    return "█" * max(0, min(BAR, round(BAR * (1 + math.log10(error) / DECADES))))


def _scaled(number: float) -> str:
    """1234567 → '1.23 M'."""
    power = max(0, min(4, int(math.log10(max(number, 1))) // 3))
    return f"{number / 1000**power:.3g} {['', 'k', 'M', 'G', 'T'][power]}"
