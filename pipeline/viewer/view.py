"""A scene with all that answers questions of it: what the server holds of one store."""

from __future__ import annotations

import math
from typing import Any

from pipeline.errors import InputError
from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.viewer.area_count import AreaCount
from pipeline.viewer.commits import Commits
from pipeline.viewer.layer_pixels import LayerPixels
from pipeline.viewer.numbers import LayerNumbers
from pipeline.viewer.open_image import open_image
from pipeline.viewer.places import worst_places
from pipeline.viewer.point import PointReader
from pipeline.viewer.scene import StoreScene
from pipeline.viewer.tile_grid import TILE_PX, tile_levels

_UNITS = {"um": "µm", "px": "px"}


class StoreView:
    """Everything that a page asks for. Safe from many threads."""

    def __init__(self, path: Place, allow_source: bool = False) -> None:
        self.scene = StoreScene(path)
        self.commits = Commits(self.scene)
        self.pixels = LayerPixels(self.scene, self.commits)
        self.numbers = LayerNumbers(self.scene, self.pixels)
        self.image = open_image(self.scene, allow_source)
        self.points = PointReader(self.scene, self.pixels, self.numbers, self.image)
        self.areas = AreaCount(self.scene)

    def describe(self) -> dict[str, Any]:
        """What a page draws itself by, as plain values."""
        scene, grid = self.scene, self.scene.grid
        certificate = scene.meta.get("certificate")
        return {
            "name": scene.path.name,
            "height": grid.height,
            "width": grid.width,
            "tile": TILE_PX,
            "levels": tile_levels(grid),
            "block": scene.level.block,
            "transform": list(grid.transform),
            "crs": grid.code or ("a CRS without a code" if grid.wkt else None),
            "unit": _UNITS.get(grid.unit, "crs"),
            "pixel": _pixel_on_the_ground(scene),
            "classes": [
                {"code": row.code, "name": row.name, "color": row.color, "role": row.role} for row in scene.classes
            ],
            "layers": [
                {"name": each.name, "kind": each.kind, "channels": list(each.channels)} for each in scene.layers()
            ],
            "image": {"bands": list(self.image.bands), "shown": self.image.default_bands, "why": self.image.why},
            "certificate": certificate and {"passed": certificate["passed"], "why": certificate["why"]},
            "places": worst_places(scene),
            "progress": self.progress(),
        }

    def progress(self) -> dict[str, Any]:
        """How far the store is; ``version`` changes whenever tiles may look otherwise."""
        self.scene.refresh()
        committed = self.scene.level.blocks if self.scene.is_complete else len(self.commits.blocks())
        complete = self.scene.is_complete
        return {
            "blocks": self.scene.level.blocks,
            "committed": committed,
            "complete": complete,
            "version": f"{self.scene.identity}-{committed}-{self.pixels.visited}-{int(complete)}",
        }


def _pixel_on_the_ground(scene: StoreScene) -> dict[str, Any]:
    """Side of a pixel in the middle of a scene, for a scale bar: ``size`` and its ``unit``, m, µm or px."""
    grid = scene.grid
    middle = Window(row=grid.height // 2, col=grid.width // 2, height=1, width=1)
    try:
        areas = pixel_areas(grid)
        size = math.sqrt(areas.total(middle))
    except InputError:  # PROJ does not know the CRS
        return {"size": 1, "unit": "px"}
    return {"size": size or 1, "unit": {"m2": "m", "um2": "µm", "px": "px"}[areas.unit] if size else "px"}
