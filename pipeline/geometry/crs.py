"""Whether labels lie where the image lies, and which part of them a window of the image needs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from pipeline.errors import InputError, LabelsError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window

CORNER_TOLERANCE_PX = 0.01
"""Corners that lie closer than this are one place: other programs round the last digits of a transform."""
TURN = 360.0
"""Degrees after which longitudes are the same place."""
CYLINDRICAL = (
    "Mercator",
    "Popular Visualisation Pseudo Mercator",
    "Equidistant Cylindrical",
    "Lambert Cylindrical Equal Area",
)
"""Beginnings of the names of projections, by EPSG, in which x is a multiple of the longitude."""
EDGE_POINTS = 21
"""Points per edge by which the outline of a box is followed into another CRS, where its edges are curves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of coordinates, in the units of its CRS."""

    left: float
    bottom: float
    right: float
    top: float

    def intersects(self, other: Box) -> bool:
        """Whether they share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def grow(self, share: float) -> Box:
        """Larger on every side by a share of its size."""
        x, y = (self.right - self.left) * share, (self.top - self.bottom) * share
        return Box(left=self.left - x, bottom=self.bottom - y, right=self.right + x, top=self.top + y)

    def __str__(self) -> str:
        return f"x {self.left:.10g} … {self.right:.10g}, y {self.bottom:.10g} … {self.top:.10g}"


def bbox_of(grid: Grid, window: Window | None = None) -> Box:
    """The outline of a grid or one of its windows, in the CRS of the grid; without a CRS, in pixels of the image."""
    if window is None:
        window = Window(row=0, col=0, height=grid.height, width=grid.width)
    a, b, c, d, e, f = grid.of_polygons
    moved = (a, b, a * window.col + b * window.row + c, d, e, d * window.col + e * window.row + f)
    left, bottom, right, top = Grid(height=window.height, width=window.width, transform=moved).bounds
    return Box(left=left, bottom=bottom, right=right, top=top)


def same_grid(labels: Grid, image: Grid) -> bool:
    """Whether both have the same pixels: size, CRS, and every corner but for the last digits."""
    if (labels.height, labels.width) != (image.height, image.width) or not same_crs(labels.wkt, image.wkt):
        return False
    return same_corners(labels, image)


def same_corners(labels: Grid, image: Grid) -> bool:
    """Whether the corners of two grids of one size and CRS lie on each other."""
    tolerance = min(image.pixel_size) * CORNER_TOLERANCE_PX
    a, b, c, d, e, f = (
        label_value - image_value for label_value, image_value in zip(labels.transform, image.transform, strict=True)
    )
    return all(
        math.hypot(a * col + b * row + c, d * col + e * row + f) < tolerance
        for row in (0, image.height)
        for col in (0, image.width)
    )


def same_crs(first: str | None, second: str | None) -> bool:
    """Whether two CRS are one, whatever the order of their axes: coordinates are x, y here."""
    if first is None or second is None:
        return first is second
    return first == second or crs_of(first).equals(crs_of(second), ignore_axis_order=True)


@functools.lru_cache(maxsize=64)
def crs_of(text: str) -> CRS:
    """A CRS from WKT or AUTHORITY:CODE. Raises LabelsError where PROJ does not know it."""
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise LabelsError(
            f"The CRS {text[:60]}… is not one that PROJ knows, so that labels cannot be brought to it. "
            f"Reproject one of them first."
        ) from error


@functools.lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer:
    """From one CRS to another, x before y."""
    return Transformer.from_crs(crs_of(source), crs_of(target), always_xy=True)


def bbox_in_crs(box: Box, source: str, target: str) -> list[Box] | None:
    """The rectangles that a rectangle takes up in another CRS: two, a turn apart, where it crosses the antimeridian.

    None where it has no place.
    """
    if same_crs(source, target):
        return [box]
    try:
        left, bottom, right, top = transformer(source, target).transform_bounds(
            box.left, box.bottom, box.right, box.top, densify_pts=EDGE_POINTS
        )
    except ProjError:
        return None
    if not all(map(math.isfinite, (left, bottom, right, top))):
        return None
    if left <= right:
        return [Box(left=left, bottom=bottom, right=right, top=top)]
    return [
        Box(left=left, bottom=bottom, right=right + TURN, top=top),
        Box(left=left - TURN, bottom=bottom, right=right, top=top),
    ]


def with_turned_boxes(sides: list[Box], crs: str, layer: Box) -> list[Box]:
    """The rectangles that a layer may have for some ground.

    A turn further east or west as well, where its CRS comes round and it reaches there.
    """
    turned = [moved_east(box, turn) for box in sides for turn in (-turn_of(crs), turn_of(crs)) if turn]
    return sides + [box for box in dict.fromkeys(turned) if box not in sides and box.intersects(layer)]


def moved_east(box: Box, x: float) -> Box:
    """A rectangle further east."""
    return replace(box, left=box.left + x, right=box.right + x)


@functools.lru_cache(maxsize=64)
def turn_of(crs: str) -> float:
    """What x grows by once around the earth, in the units of a CRS; 0 where it does not come round."""
    target = crs_of(crs)
    if target.is_geographic:
        return TURN
    operation = target.coordinate_operation
    if operation is None or target.geodetic_crs is None or not operation.method_name.startswith(CYLINDRICAL):
        return 0.0
    middle = next((float(row.value) for row in operation.params if row.name == "Longitude of natural origin"), 0.0)
    change = Transformer.from_crs(target.geodetic_crs, target, always_xy=True)
    return float(2 * (change.transform(middle + TURN / 4, 0)[0] - change.transform(middle - TURN / 4, 0)[0]))


def turns(labels: Box, crs: str, image: Grid) -> tuple[float, ...]:
    """How far to the east labels are moved so that they lie on an image, in the units of their CRS.

    Several where it crosses the antimeridian.
    """
    assert image.wkt is not None
    sides = bbox_in_crs(bbox_of(image), image.wkt, crs) or []
    return tuple(
        x
        for x in dict.fromkeys((0.0, -turn_of(crs), turn_of(crs)))
        if any(moved_east(labels, x).intersects(box) for box in sides)
    ) or (0.0,)


def check_overlap(path: str, labels: Box, crs: str, image: Grid) -> None:
    """See that labels and image share some ground.

    Parameters
    ----------
    path
        Of the labels, for the message.
    labels
        Their outline.
    crs
        Of the labels.
    image
        The grid of the image, with a CRS.

    Raises
    ------
    LabelsError
        They share none; both outlines are said.
    """
    assert image.wkt is not None
    image_boxes = bbox_in_crs(bbox_of(image), image.wkt, crs)
    if image_boxes is not None and any(labels.intersects(box) for box in with_turned_boxes(image_boxes, crs, labels)):
        return
    label_boxes = None if image_boxes is not None else bbox_in_crs(labels, crs, image.wkt)
    if label_boxes is not None and any(bbox_of(image).intersects(box) for box in label_boxes):
        return
    covers = (
        " and ".join(map(str, image_boxes))
        if image_boxes
        else f"{bbox_of(image)} of its own CRS {name_of(image.wkt)}, which has no place there"
    )
    raise LabelsError(
        f"The labels {path} do not overlap the image. In {name_of(crs)} the labels cover {labels}, the image {covers}. "
        f"Give labels of the same place, or mend the CRS that they claim.{geojson_crs_hint(path, labels, crs)}"
    )


def name_of(crs: str) -> str:
    """AUTHORITY:CODE or the name of a CRS."""
    authority = crs_of(crs).to_authority()
    return ":".join(authority) if authority else str(crs_of(crs).name)


def crs_mismatch_error(subject: str, they_have: bool, error: type[InputError] = LabelsError) -> InputError:
    """What to say where only one of labels, or other polygons, and image has a CRS."""
    problem = "they have a CRS and the image has none" if they_have else "the image has a CRS and they have none"
    remedy = "gdal_edit.py -a_srs EPSG:CODE FILE, with -a_ullr where the place is missing too"
    return error(
        f"{subject} cannot be laid on the image: {problem}. Give the other one its CRS ({remedy}), or "
        f"something that lies as the image does."
    )


def geojson_crs_hint(path: str, labels: Box, crs: str) -> str:
    """What is most likely wrong with a GeoJSON whose numbers are no degrees, or nothing."""
    if (
        path.endswith("json")
        and crs_of(crs).is_geographic
        and max(map(abs, (labels.left, labels.bottom, labels.right, labels.top))) > 360
    ):
        return (
            " A GeoJSON that names no CRS is in degrees by its standard, and these numbers are none: "
            "ogr2ogr -a_srs gives it the CRS that it has."
        )
    return ""
