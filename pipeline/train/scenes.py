"""Images and what is known of them, of any size: read by windows, and parted into what teaches and what judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.config import SceneConfig, SourceConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE, Labels, Source
from pipeline.quality.labels import from_config
from pipeline.sources import open_source
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.only import open_areas
from pipeline.store.spec import ClassRow

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea

UNKNOWN_INDEX = 255
"""Index of pixels that teach nothing; channels are counted from 0 and number fewer."""

Cell = tuple[int, int]
"""(row, col) of a block of the lattice that a scene is cut by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One image, its labels on the image's grid, and the part of it that is used."""

    name: str
    source: SourceConfig
    """How the image is read."""
    image: Source
    labels: Labels
    area: Window
    truth: str
    """What makes the labels these labels: path, size and modification time, and the area of interest."""
    aoi: RequestedArea | None
    """Area of interest: labels outside it say nothing."""
    block: int
    """Side of the blocks that are held out, px; they count from the image's corner."""
    validation_cells: frozenset[Cell] = frozenset()
    """Blocks that judge, so that their labels teach nothing."""

    def label_codes(self, window: Window) -> npt.NDArray[np.uint16]:
        """(rows, cols) class codes of what may be learnt in a window.

        IGNORE outside both areas, in held-out blocks and where nothing is known.
        """
        codes = self.labels.read(window)
        inside = np.zeros(codes.shape, dtype=bool)
        inside[_shared(window, self.area)] = True
        for row, col in self.validation_cells & set(self.cells(window)):
            inside[_shared(window, self.window((row, col)))] = False
        if self.aoi is not None:
            inside &= self.aoi.read(window)
        codes[~inside] = IGNORE
        return codes

    @property
    def ground(self) -> object:
        """What scenes have in common that show one place pixel by pixel, such as several dates.

        Without a CRS each image is a place of its own.
        """
        grid = self.image.grid
        return (grid.wkt, grid.transform, grid.height, grid.width) if grid.wkt else self.name

    @property
    def outline(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the area in the units of the image's transform."""
        a, b, c, d, e, f = self.image.grid.transform
        corners = [
            (row, col)
            for row in (self.area.rows.start, self.area.rows.stop)
            for col in (self.area.cols.start, self.area.cols.stop)
        ]
        xs, ys = [a * col + b * row + c for row, col in corners], [d * col + e * row + f for row, col in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def window(self, cell: Cell) -> Window:
        """The pixels of a block of the lattice."""
        grid = self.image.grid
        return Window(row=cell[0] * self.block, col=cell[1] * self.block, height=self.block, width=self.block).clip(
            grid.height, grid.width
        )

    def cells(self, window: Window) -> list[Cell]:
        """The blocks of the lattice that a window touches, within the area."""
        rows, cols = (
            range(max(span.start, limits.start) // self.block, -(-min(span.stop, limits.stop) // self.block))
            for span, limits in ((window.rows, self.area.rows), (window.cols, self.area.cols))
        )
        return [(row, col) for row in rows for col in cols]


def open_scene(
    config: SceneConfig, source: SourceConfig, classes: Sequence[ClassRow], block: int, bands: int | None = None
) -> Scene:
    """Open one image and its labels.

    Raises
    ------
    ConfigError
        The area reaches beyond the image, or it has not as many bands as the first.
    SourceError, LabelsError
        One of them cannot be opened, or they lie in different places.
    """
    placed = source_of_scene(config, source)
    try:
        image = open_source(placed)
    except SourceError as error:
        raise SourceError(f"A scene of the training: {str(error).replace('source.path is', 'its path is')}") from error
    grid = image.grid
    row, col, height, width = config.area or (0, 0, grid.height, grid.width)
    area = Window(row=row, col=col, height=height, width=width)
    if area.clip(grid.height, grid.width) != area:
        raise ConfigError(
            f"The area {config.area} of {placed.place} reaches beyond its {grid.height} × {grid.width} px. "
            f"Write [row, col, height, width] within it."
        )
    if bands not in (None, image.bands):
        raise ConfigError(
            f"{placed.place} has {image.bands} bands and the first scene {bands}. Name those that all scenes "
            f"have with source.bands."
        )
    aoi = open_areas(source, image).area
    truth = str(sorted(identity_of(config.labels.path, []).items())) + (f" within {aoi.digest}" if aoi else "")
    return Scene(
        name=placed.place,
        source=placed,
        image=image,
        labels=from_config(config.labels, grid, classes),
        area=area,
        aoi=aoi,
        block=block,
        truth=truth,
    )


def source_of_scene(config: SceneConfig, source: SourceConfig) -> SourceConfig:
    """How a scene is read: as ``source`` is, in another place.

    Raises
    ------
    ConfigError
        ``source`` is of a kind that has no such path.
    """
    try:
        return source.at(config.path)
    except ValueError as error:
        raise ConfigError(
            f"The path of a scene of the training is given in another form than source.path: {error}. Give it in the "
            f"form of source.path."
        ) from error


def index_table(classes: Sequence[ClassRow], codes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """(65536,) class code → channel of the network, UNKNOWN where there is none.

    Parameters
    ----------
    classes
        The class table.
    codes
        Codes in the order of the channels; a background without a channel comes after them.
    """
    if len(codes) > UNKNOWN_INDEX:
        raise ConfigError(
            f"model.classes lists {len(classes)} classes; a network can be trained on {UNKNOWN_INDEX} at the most."
        )
    table = np.full(IGNORE + 1, UNKNOWN_INDEX, dtype=np.uint8)
    table[list(codes)] = np.arange(len(codes))
    table[[row.code for row in classes if row.role == "ignore"]] = UNKNOWN_INDEX
    return table


def _shared(window: Window, other: Window) -> tuple[slice, slice]:
    """Where another window lies inside a window, as an index; empty where they do not meet."""
    rows, cols = (
        slice(max(b.start - a.start, 0), max(min(b.stop, a.stop) - a.start, 0))
        for a, b in ((window.rows, other.rows), (window.cols, other.cols))
    )
    return rows, cols
