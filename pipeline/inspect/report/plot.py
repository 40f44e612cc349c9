"""The halo profile as a curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.inspect.halo.profile import HaloProfile
from pipeline.inspect.report.report import NetworkReport

_INK, CURVE, TYPICAL, COST = "#222222", "#c7433e", "#e8a29f", "#2b6ca3"


def draw_halo_profile(report: NetworkReport, path: Path, title: str) -> Path:
    """Write a PNG: error against distance from a cut, and what a halo of that width costs.

    Raises
    ------
    ConfigError
        Matplotlib is not installed, or there is no profile.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "A picture of the halo profile needs matplotlib. Install it with pip install "
            "'wholecloth[plots]', or leave --png out."
        ) from error
    if report.profile is None:
        raise ConfigError(
            "There is no halo profile to draw: the network takes no image of which anything could be cut "
            "off and compared. Leave --png out."
        )
    figure = Figure(figsize=(9, 5), dpi=130, layout="constrained")
    _curves(figure.add_subplot(), report, report.profile, title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _curves(axes: Any, report: NetworkReport, profile: HaloProfile, title: str) -> None:
    distances = np.arange(len(profile.largest))
    floor = max(1e-9, float(np.min(profile.largest[profile.largest > 0], initial=1)) / 3)
    axes.semilogy(distances, np.maximum(profile.largest, floor), color=CURVE, lw=1.6, label="largest error")
    axes.semilogy(distances, np.maximum(profile.typical, floor), color=TYPICAL, lw=1.4, label="root mean square")
    axes.axhline(1e-3, color=_INK, lw=0.8, ls=":")
    axes.text(distances[-1], 1.15e-3, "1e-3", ha="right", va="bottom", fontsize=8, color=_INK)
    axes.set(
        xlabel="distance from the cut, px",
        ylabel="error, standard deviations of the logits",
        title=title,
        xlim=(0, distances[-1]),
    )
    for halo in report.halos:
        if halo.exact:
            axes.axvline(halo.halo, color=_INK, lw=1, ls="--", label=f"exact halo, {halo.halo} px")
    _cost(axes, report, distances)
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.4), frameon=False)
    axes.spines[["top"]].set_visible(False)


def _cost(axes: Any, report: NetworkReport, distances: Any) -> None:
    twin = axes.twinx()
    useful = distances[report.tile - 2 * distances > report.tile / 3]
    twin.plot(useful, (report.tile / (report.tile - 2 * useful)) ** 2, color=COST, lw=1.2)
    twin.set_ylabel(f"arithmetic at tiles of {report.tile} px, ×", color=COST)
    twin.tick_params(axis="y", colors=COST)
    twin.set_ylim(bottom=1)
    twin.spines[["top"]].set_visible(False)
