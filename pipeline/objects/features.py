"""Objects of a mask as features: attributes and polygons, in a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PlanError
from pipeline.geometry.areas import PixelAreas, pixel_areas
from pipeline.geometry.grid import Grid, Transform
from pipeline.objects.capping import Outline, capped
from pipeline.objects.choice import ObjectChoice
from pipeline.objects.columns import Columns, ConfidenceOf, Int64s, Measures
from pipeline.objects.corners import STRAIGHT
from pipeline.objects.lengths import LengthUnit, edge_lengths, length_unit
from pipeline.objects.mask import MaskBlocks
from pipeline.objects.outlines import ObjectRings, OutlineBatch, Outlines, find_outlines, object_rings, outline_batches
from pipeline.objects.parts import ObjectParts, chosen_owners, find_objects
from pipeline.objects.rings import Int32s
from pipeline.objects.simplify import Simplification, simplify_outlines
from pipeline.objects.sweep import BlockHook
from pipeline.objects.wkb import Binary, polygons_as_wkb
from pipeline.store.spec import ClassRow

VERTEX_LIMIT = 10**7
"""Vertices of one object: its rings are traced as a whole, which takes some 60 bytes per vertex."""
_EDGES_AT_ONCE = 2**20
"""Edges that are measured at once: geodesics take some 100 bytes each."""
OBJECT_LIMIT = 4 * 10**6
"""Objects that are written: each takes some 100 bytes while they are put in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOptions(ObjectChoice):
    """Which objects become features, and how."""

    simplify: float | None = None
    """Arcs lose points that span triangles of up to its square, px; None for none."""
    max_vertices: int | None = None
    """Objects of more are cut into pieces of as many at most; None for none."""
    vertex_limit: int = VERTEX_LIMIT
    ring_vertices: float = 0.0
    """Vertices that take as much memory as a ring does beside its vertices."""
    object_limit: int = OBJECT_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFields:
    """What all features have in common."""

    grid: Grid
    classes: tuple[ClassRow, ...]
    area_unit: str
    """``m2``, ``um2`` or ``px``."""
    area_method: str
    length_unit: LengthUnit
    has_confidence: bool
    multi: bool
    """Whether geometries are MultiPolygons."""
    is_capped: bool = False
    """Whether objects of many vertices come in pieces, so that a feature is one of several of its object."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes, in order."""
        confidence = ("confidence",) if self.has_confidence else ()
        area, perimeter = f"area_{self.area_unit}", f"perimeter_{self.length_unit}"
        pieces = ("part", "parts") if self.is_capped else ()
        return ("id", "class", "code", area, "area_method", perimeter, *confidence, "centroid_x", "centroid_y", *pieces)

    @property
    def transform(self) -> Transform:
        """Lattice points to coordinates: of the CRS, in µm, or else the points themselves, with rows downwards."""
        counts_pixels = self.grid.wkt is None and self.grid.unit != "um"
        return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0) if counts_pixels else self.grid.transform


@dataclass(frozen=True, kw_only=True)
class FeatureBatch:
    """Some objects with attributes and polygons, by last row, then id."""

    fields: FeatureFields
    attributes: dict[str, npt.NDArray[Any]]
    """By the names of the fields: numbers, and arrays of text."""
    ring_sizes: Int64s
    """Vertices of each ring, the first of which is repeated at its end."""
    polygon_rings: Int64s
    object_polygons: Int64s
    rows: npt.NDArray[Any]
    """Of vertices, as lattice points: (0, 0) is the upper left corner of the mask."""
    cols: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.object_polygons)

    def points(self) -> npt.NDArray[np.float64]:
        """(n, 2) x and y of vertices by the transform of the fields."""
        a, b, c, d, e, f = self.fields.transform
        points = np.empty((len(self.rows), 2))
        points[:, 0] = a * self.cols + b * self.rows + c
        points[:, 1] = d * self.cols + e * self.rows + f
        return points

    def wkb(self) -> Binary:
        """The geometry of each object, by the transform of the fields."""
        return self.wkb_of(self.points())

    def wkb_of(self, points: npt.NDArray[np.float64]) -> Binary:
        """The geometry of each object with other coordinates, (n, 2), of its vertices."""
        return polygons_as_wkb(points, self.ring_sizes, self.polygon_rings, self.object_polygons, self.fields.multi)

    def bounds(self) -> npt.NDArray[np.float64]:
        """(objects, 4) lowest x, lowest y, highest x, highest y."""
        starts = np.cumsum(self.object_sizes) - self.object_sizes
        points = self.points()
        low, high = (operation.reduceat(points, starts, axis=0) for operation in (np.minimum, np.maximum))
        return np.concatenate([low, high], axis=1)

    @property
    def object_sizes(self) -> Int64s:
        """Vertices of each object."""
        return _sums(_sums(self.ring_sizes, self.polygon_rings), self.object_polygons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Objects whose number and size are known, and of which nothing is written yet."""

    fields: FeatureFields
    found: ObjectParts
    outlines: Outlines
    scratch: Path
    simplify: float | None = None
    """px."""
    max_vertices: int | None = None
    """Of a feature."""

    def __len__(self) -> int:
        return int(np.count_nonzero(self.outlines.counts))

    @property
    def vertices(self) -> int:
        """Vertices of all polygons."""
        return int(self.outlines.counts.sum())

    def batches(self, simplification: Simplification | None = None) -> Iterator[FeatureBatch]:
        """All features, each once.

        Parameters
        ----------
        simplification
            What `simplification` gives, where it is asked for; by default it is found first.
        """
        simplification = simplification or self.simplification()
        removed = None if simplification is None else simplification.removed
        # a loop would keep a batch alive while its features are written
        batches = map(self._batch, outline_batches(self.outlines, self._last_rows, self.scratch, removed))
        return batches if self.max_vertices is None else map(self._capped, batches)

    def simplification(self) -> Simplification | None:
        """Find which points go, and count the arcs that stay as they are; None where nothing is simplified."""
        if self.simplify is None:
            return None
        height = self.found.objects.blocks.mask.height
        return simplify_outlines(self.outlines, self._last_rows, height, self.simplify**2, self.scratch)

    @property
    def _last_rows(self) -> Int64s:
        return self.found.objects.table.column("row_max").read()

    def _batch(self, batch: OutlineBatch) -> FeatureBatch:
        traced = object_rings(batch)
        table = self.found.objects.table.take(traced.objects)
        attributes = self._attributes(table, _perimeters(self.fields.grid, traced))
        rows, cols, sizes = _remaining(traced)
        rows, cols = (_closed(values, sizes) for values in (rows, cols))
        return FeatureBatch(
            fields=self.fields,
            attributes=attributes,
            ring_sizes=sizes + 1,
            polygon_rings=traced.polygon_rings,
            object_polygons=traced.object_polygons,
            rows=rows,
            cols=cols,
        )

    def _capped(self, batch: FeatureBatch) -> FeatureBatch:
        assert self.max_vertices is not None
        names = ("cols", "rows", "ring_sizes", "polygon_rings", "object_polygons")
        pieces = capped(Outline(**{name: getattr(batch, name) for name in names}), self.max_vertices)
        attributes = {name: values[pieces.objects] for name, values in batch.attributes.items()}
        return replace(
            batch,
            attributes={**attributes, "part": pieces.part, "parts": pieces.parts},
            **{name: getattr(pieces, name) for name in names},
        )

    def _attributes(self, table: Columns, perimeters: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
        objects, fields = self.found.objects, self.fields
        a, b, c, d, e, f = fields.transform
        rows, cols = (table[name] / (2 * table["pixels"]) for name in ("row_sum", "col_sum"))
        names = {row.code: row.name for row in fields.classes}
        values = {
            "id": (table["first"] + 1).astype(objects.id_dtype),
            "class": np.array([names.get(code, str(code)) for code in table["code"].tolist()], dtype=object),
            "code": table["code"].astype(np.int32),
            f"area_{fields.area_unit}": objects.areas(table),
            "area_method": np.full(len(rows), fields.area_method, dtype=object),
            f"perimeter_{fields.length_unit}": perimeters,
            "centroid_x": a * cols + b * rows + c,
            "centroid_y": d * cols + e * rows + f,
        }
        if fields.has_confidence:
            values["confidence"] = table["confidence"] / (255 * table["pixels"])
        return {name: values[name] for name in fields.names if name in values}


def find_features(
    blocks: MaskBlocks,
    grid: Grid,
    classes: Sequence[ClassRow],
    scratch: Path,
    *,
    options: FeatureOptions | None = None,
    areas: PixelAreas | None = None,
    confidence_of: ConfidenceOf | None = None,
    after_block: BlockHook | None = None,
) -> Features:
    """Find the objects of a mask and their outlines; two passes over the mask at connectivity 4, and four at 8.

    Parameters
    ----------
    blocks
        The mask and its blocks.
    grid, classes
        Of the mask.
    scratch
        An empty folder, or one to be made: about 100 bytes per object and 17 per vertex, twice while batches are taken.
    options
        Which objects become features.
    areas
        Of pixels; by default those of the grid.
    confidence_of
        The confidence layer, where it is stored.
    after_block
        Called after each block of each pass.

    Raises
    ------
    InputError
        A class or a unit does not suit the mask.
    PlanError
        There are more objects, or more vertices in one of them, than memory is meant to hold.
    """
    options, areas = options or FeatureOptions(), areas or pixel_areas(grid)
    options = options.resolved(classes, areas.unit)
    scratch.mkdir(parents=True, exist_ok=True)
    measures = Measures(area_of=areas.of, confidence_of=confidence_of)
    found = find_objects(blocks, scratch, connectivity=options.connectivity, measures=measures, after_block=after_block)
    chosen = _chosen(found, options)
    outlines = find_outlines(
        found, chosen_owners(found, chosen), scratch, shared=options.simplify is not None, after_block=after_block
    )
    fields = FeatureFields(
        grid=grid,
        classes=tuple(classes),
        area_unit=areas.unit,
        area_method=areas.method,
        length_unit=length_unit(grid),
        has_confidence=confidence_of is not None,
        multi=options.connectivity == 8,
        is_capped=options.max_vertices is not None,
    )
    features = Features(
        fields=fields,
        found=found,
        outlines=outlines,
        scratch=scratch,
        simplify=options.simplify,
        max_vertices=options.max_vertices,
    )
    _check_vertices(features, options)
    return features


def _chosen(found: ObjectParts, options: FeatureOptions) -> npt.NDArray[np.bool_]:
    """(objects,) which of them become features."""
    batches = [options.picks(rows, found.objects) for rows in found.objects.batches()]
    chosen = np.concatenate([np.zeros(0, dtype=bool), *batches])
    if (count := int(chosen.sum())) > options.object_limit:
        raise PlanError(
            f"{count:,} objects would be written, and memory is meant for {options.object_limit:,}. Nothing was "
            f"written. Leave out the small ones, such as with --min-area '20 px', or take fewer classes with --classes."
        )
    return chosen


def _check_vertices(features: Features, options: FeatureOptions) -> None:
    outlines = features.outlines
    loads = outlines.counts + options.ring_vertices * outlines.rings
    if not len(loads) or loads.max() <= options.vertex_limit:
        return
    largest = int(loads.argmax())
    times = loads[largest] / max(options.vertex_limit, 1)
    row = features.found.objects.table.read(largest, largest + 1)
    code = int(row["code"][0])
    name = next((each.name for each in features.fields.classes if each.code == code), str(code))
    simpler = "" if options.simplify is None else "leave --simplify out, which takes half of that, "
    if options.max_vertices is not None:
        simpler = "leave --max-vertices out, which takes most of that, "
    raise PlanError(
        f"The object {row['first'][0] + 1} of class {name} has {outlines.counts[largest]:,} vertices in "
        f"{outlines.rings[largest]:,} rings around its {row['pixels'][0]:,} px, and takes {times:.1f} times what "
        f"memory is meant for. Nothing was written. It lies in rows {row['row_min'][0]}–{row['row_max'][0]}, cols "
        f"{row['col_min'][0]}–{row['col_max'][0]}, and is most likely noise. --min-area leaves "
        f"out small objects and --simplify comes later, so that neither helps: smooth the mask first, such as with "
        f"apply --postprocess and a sieve of 20 px, leave its class out with --classes, {simpler}or give more --memory."
    )


def _perimeters(grid: Grid, traced: ObjectRings) -> npt.NDArray[np.float64]:
    """(objects,) lengths of all rings, by the corners alone."""
    rings = traced.rings
    turns = (rings.turns & STRAIGHT) == 0
    sizes = np.add.reduceat(turns, np.cumsum(rings.sizes) - rings.sizes, dtype=np.int64)
    rows, cols = rings.rows[turns], rings.cols[turns]
    following = np.arange(1, len(rows) + 1, dtype=np.int32)
    ends = np.cumsum(sizes)
    following[ends - 1] = ends - sizes
    lengths = np.empty(len(rows))
    for start in range(0, len(rows), _EDGES_AT_ONCE):
        edges, after = slice(start, start + _EDGES_AT_ONCE), following[start : start + _EDGES_AT_ONCE]
        lengths[edges] = edge_lengths(grid, rows[edges], cols[edges], rows[after], cols[after])
    polygons = _sums(np.add.reduceat(lengths, ends - sizes), traced.polygon_rings)
    return np.asarray(_sums(polygons, traced.object_polygons))


def _sums(values: npt.NDArray[Any], counts: Int64s) -> npt.NDArray[Any]:
    """Sums of so many values after each other; no count is 0."""
    return np.asarray(np.add.reduceat(values, np.cumsum(counts) - counts))


def _remaining(traced: ObjectRings) -> tuple[Int32s, Int32s, Int64s]:
    """Rows and columns of the vertices that stay, and how many each ring has."""
    rings, stays = traced.rings, traced.stays
    if stays is None:
        return rings.rows, rings.cols, rings.sizes
    sizes = np.add.reduceat(stays, np.cumsum(rings.sizes) - rings.sizes, dtype=np.int64)
    return rings.rows[stays], rings.cols[stays], sizes


def _closed(values: Int32s, sizes: Int64s) -> Int32s:
    """Values of rings, with the first of each at its end too."""
    ends = np.cumsum(sizes)
    return np.insert(values, ends, values[ends - sizes])
