"""What a preview says of its window and its pass, in words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Config
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.inference.recipe import Recipe
from pipeline.planning.load_network import LoadedNetwork
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.preview.choose_window import ChosenWindow
from pipeline.preview.one_pass import Extent, WindowPixels
from pipeline.preview.page import percent
from pipeline.privacy.concealed import safe_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A window and its pass, in words."""

    window: str
    facts: tuple[tuple[str, str], ...]
    """A name and a text each."""


def describe_pass(
    loaded: LoadedNetwork, recipe: Recipe, read: WindowPixels, chosen: ChosenWindow, extent: Extent
) -> Description:
    """The window, why it was chosen, what the network saw, and what a run does in another way."""
    grid, config = loaded.source.grid, loaded.config
    crs = grid.code or ("its own CRS" if grid.wkt else "no CRS")
    facts = [
        ("window", f"{read.window}, {chosen.reason}"),
        ("bounds", _bounds(grid, read.window)),
        ("valid", f"{percent(float(read.valid.mean()))} of its pixels"),
        ("one pass", f"over {read.frame.height} × {read.frame.width} px, {_context(loaded, read, extent)}"),
        *(("a run", text) for text in _run_differs(config, loaded)),
        ("scene", f"{config.source.place}: {grid.height} × {grid.width} px, {_bands(loaded)}, {crs}"),
        *(("scene", note) for note in loaded.source.notes),
        ("network", f"{config.model.kind}, {config.model.place}"),
        ("input", _normalisation(recipe)),
        ("output", f"activation {recipe.decoding.activation}"),
        *(("network", text) for text in loaded.remarks(recipe)),
        ("device", f"{loaded.device}, {recipe.precision}"),
        ("next", "wholecloth plan tells what a run takes, and wholecloth inspect explains the network"),
    ]
    return Description(window=str(read.window), facts=tuple((name, safe_text(text)) for name, text in facts))


def _bands(loaded: LoadedNetwork) -> str:
    return f"{loaded.source.bands} bands, {loaded.source.dtype}"


def _bounds(grid: Grid, window: Window) -> str:
    a, b, c, d, e, f = grid.transform
    corner = (a, b, c + a * window.col + b * window.row, d, e, f + d * window.col + e * window.row)
    part = Grid(height=window.height, width=window.width, transform=corner)
    left, bottom, right, top = part.bounds
    unit = {"um": "µm", "px": "px", "crs": grid.code or "units of its CRS"}[grid.unit]
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g} ({unit})"


def _context(loaded: LoadedNetwork, read: WindowPixels, extent: Extent) -> str:
    radius, grid = loaded.locality.radius, loaded.source.grid
    if read.frame.height >= grid.height and read.frame.width >= grid.width:
        return "which is all of the raster"
    around = f"with {extent.context} px of context around the window where the raster has them"
    if loaded.measured and radius is not None:
        width = "as wide as" if extent.context >= radius.largest else "less than"
        return f"{around}: {width} the radius of {radius.largest} px that an earlier plan measured"
    return f"{around}; no radius is measured here, so that labels at the window's edges may differ from a run's"


def _run_differs(config: Config, loaded: LoadedNetwork) -> list[str]:
    """How a run sees the same pixels otherwise."""
    texts = []
    overlap = config.tile.overlap
    if overlap != "auto" and overlap > 0:
        texts.append("blends overlapping tiles, as tile.overlap says, where this is one pass")
    elif loaded.measured and loaded.locality.verdict == "not local":
        texts.append("blends tiles of one size, since the network is not local, where this is one pass")
    if config.output.postprocess:
        texts.append("makes the layer cleaned by output.postprocess, which is not shown here")
    return texts


def _normalisation(recipe: Recipe) -> str:
    """What is done to raw pixels; a list of equal numbers as one."""
    normalisation = recipe.normalisation
    parts = []
    for name in ("scale", "offset", "mean", "std"):
        values = getattr(normalisation, name)
        same = len(set(values)) == 1
        parts.append(f"{name} {values[0]:g}" if same else f"{name} [{', '.join(f'{value:g}' for value in values)}]")
    transform = f"transform {normalisation.transform.place}, then " if normalisation.transform else ""
    stretch = normalisation.stretch
    stretched = "" if stretch is None else f"{normalise_sentence(stretch.record, stretch.provisional)}; then "
    return f"{transform}{stretched}{', '.join(parts)}"
