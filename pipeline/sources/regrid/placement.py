"""Where the pixels of a source lie: by a transform, by ground control points, or by rational polynomials."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.rpc import RPC
from rasterio.transform import Affine, GCPTransformer, RPCTransformer

from pipeline.errors import SourceError
from pipeline.geometry.crs import same_crs, transformer, turn_of
from pipeline.geometry.grid import IDENTITY, Transform
from pipeline.interfaces import Source
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import gdal_env, mask_urls
from pipeline.sources.raster import RasterSource

FloatArray = npt.NDArray[np.float64]
WGS84 = "EPSG:4326"
"""CRS of the coordinates of rational polynomials."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the pixels of a raster lie. Pickles as plain values."""

    wkt: str
    """CRS of the coordinates."""
    transform: Transform | None = None
    """Pixel corner to coordinates; None where one of the others places the pixels."""
    points: tuple[tuple[float, ...], ...] = ()
    """Ground control points: (row, col, x, y, z) each."""
    polynomials: tuple[tuple[str, str], ...] = ()
    """GDAL's metadata of the domain RPC: name and value each."""

    @property
    def description(self) -> str:
        """What places the pixels, in words."""
        if self.transform is not None:
            return "its transform"
        return f"its {len(self.points)} ground control points" if self.points else "its rational polynomials"

    @cached_property
    def turn(self) -> float:
        """What x grows by once around the earth, in the units of the CRS; 0 where it does not come round."""
        return turn_of(self.wkt) if self.transform is not None else 0.0

    def pixels_at(self, xs: FloatArray, ys: FloatArray, wkt: str) -> tuple[FloatArray, FloatArray]:
        """(rows, cols) of coordinates in a CRS, px from the corner; not finite where there is no such place."""
        xs, ys = reproject(xs, ys, wkt, self.wkt)
        rows, cols = np.full(xs.shape, np.nan), np.full(xs.shape, np.nan)
        good = np.isfinite(xs) & np.isfinite(ys)
        if good.any():
            rows[good], cols[good] = self._rows_cols(xs[good], ys[good])
        return rows, cols

    def coordinates_of(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(xs, ys) of places in pixels, in the own CRS."""
        if self.transform is not None:
            a, b, c, d, e, f = self.transform
            return a * cols + b * rows + c, d * cols + e * rows + f
        with self._transformer() as control:
            xs, ys = control.xy(rows.ravel(), cols.ravel(), offset="ul")
        return np.reshape(xs, rows.shape), np.reshape(ys, rows.shape)

    @cached_property
    def pixels_per_turn(self) -> tuple[float, float]:
        """(rows, cols) by which a place moves, px, where its coordinates go once around the earth to the east."""
        assert self.transform is not None
        back = ~Affine(*self.transform)
        return float(back.d * self.turn), float(back.a * self.turn)

    def moved_east(self, turns: int) -> Placement:
        """The raster so many times around the earth."""
        if turns == 0:
            return self
        assert self.transform is not None
        a, b, c, d, e, f = self.transform
        return Placement(wkt=self.wkt, transform=(a, b, c + turns * self.turn, d, e, f))

    def _rows_cols(self, xs: FloatArray, ys: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.transform is not None:
            return inverse(self.transform, xs, ys)
        with self._transformer() as control:
            rows, cols = control.rowcol(xs, ys, op=lambda value: value)
        return np.asarray(rows, np.float64), np.asarray(cols, np.float64)

    def _transformer(self) -> GCPTransformer | RPCTransformer:
        if self.points:
            return GCPTransformer([GroundControlPoint(*point) for point in self.points])
        return RPCTransformer(RPC.from_gdal(dict(self.polynomials)))

    def xml(self) -> str:
        """The part of GDAL's transformer that leads from coordinates to pixels."""
        if self.transform is not None:
            a, b, c, d, e, f = self.transform
            return f"<SrcGeoTransform>{c!r},{a!r},{b!r},{f!r},{d!r},{e!r}</SrcGeoTransform>"
        if self.points:
            rows = "".join(
                f'<GCP Id="{k}" Pixel="{col!r}" Line="{row!r}" X="{x!r}" Y="{y!r}" Z="{z!r}"/>'
                for k, (row, col, x, y, z) in enumerate(self.points, 1)
            )
            return (
                f"<SrcGCPTransformer><GCPTransformer><Order>0</Order><Reversed>0</Reversed><GCPList>{rows}</GCPList>"
                f"</GCPTransformer></SrcGCPTransformer>"
            )
        tags = "".join(f'<MDI key="{escape(name)}">{escape(value)}</MDI>' for name, value in self.polynomials)
        return (
            f"<SrcRPCTransformer><RPCTransformer><Reversed>0</Reversed><HeightOffset>0</HeightOffset>"
            f"<PixErrThreshold>0.1</PixErrThreshold><Metadata>{tags}</Metadata></RPCTransformer></SrcRPCTransformer>"
        )


def inverse(transform: Transform, xs: FloatArray, ys: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(rows, cols) of coordinates, px from the corner."""
    back = ~Affine(*transform)
    return back.d * xs + back.e * ys + back.f, back.a * xs + back.b * ys + back.c


def placement_of(source: Source) -> Placement:
    """Where the pixels of a source lie.

    Raises SourceError where nothing says so.
    """
    grid = source.grid
    if isinstance(source, RasterSource) and (control := _control_of(source)) is not None:
        return control
    if grid.wkt is None:
        raise SourceError(
            "source.grid asks for another grid, but the source has no CRS, so that nobody knows where it lies. "
            "Give it one (gdal_edit.py -a_srs EPSG:CODE FILE, with -a_ullr where the place is missing too), or leave "
            "source.grid out."
        )
    return Placement(wkt=grid.wkt, transform=grid.transform)


def _control_of(source: RasterSource) -> Placement | None:
    """Ground control points or polynomials of a raster that has no transform."""
    if source.grid.transform != IDENTITY:
        return None
    with gdal_env(source.settings), open_dataset(source.path) as dataset:
        points, crs = dataset.gcps
        if points and not crs:
            raise SourceError(
                f"source.grid asks for another grid, but the ground control points of {mask_urls(source.path)} name "
                f"no CRS. Give them one with gdal_translate -a_srs EPSG:CODE."
            )
        if points:
            rows = tuple((p.row, p.col, p.x, p.y, p.z or 0.0) for p in points)
            return Placement(wkt=crs.to_wkt(), points=rows)
        if dataset.rpcs is not None:
            tags: dict[str, Any] = dataset.tags(ns="RPC")
            return Placement(wkt=CRS.from_user_input(WGS84).to_wkt(), polynomials=tuple(sorted(tags.items())))
    return None


def reproject(xs: FloatArray, ys: FloatArray, source: str, target: str) -> tuple[FloatArray, FloatArray]:
    """Coordinates in another CRS by GDAL, which warps by the same; NaN where they have no place there."""
    shape = xs.shape
    xs, ys = np.asarray(xs, np.float64).ravel(), np.asarray(ys, np.float64).ravel()
    if same_crs(source, target):
        return xs.reshape(shape), ys.reshape(shape)
    new_xs, new_ys = (np.asarray(v, np.float64) for v in transformer(source, target).transform(xs, ys))
    good = np.isfinite(new_xs) & np.isfinite(new_ys)
    if good.any():
        # GDAL's PROJ may know no place where that of pyproj does: then the latter is near enough for a window
        with suppress(RasterioError, CPLE_BaseError):
            new_xs[good], new_ys[good] = rasterio.warp.transform(
                CRS.from_user_input(source), CRS.from_user_input(target), xs[good].tolist(), ys[good].tolist()
            )[:2]
    good = np.isfinite(new_xs) & np.isfinite(new_ys)
    return np.where(good, new_xs, np.nan).reshape(shape), np.where(good, new_ys, np.nan).reshape(shape)
