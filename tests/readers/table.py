"""Readers, where each runs, which files it opens, and what it is known not to see of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STORES = ("v3", "shards", "v2")
FILES = {
    "v3": ("v3/job.zarr", "The store: `job.zarr`, Zarr v3 with OME 0.5"),
    "shards": ("shards/job.zarr", "The store with shards, Zarr v3"),
    "v2": ("v2/job.zarr", "The store as Zarr v2 with OME 0.4"),
    "cog": ("v3/job.mask.tif", "`job.mask.tif`, the GeoTIFF of every run"),
    "vrt": ("v3/job.vrt", "`job.vrt` over the GeoTIFF"),
    "labels": ("image/scene.ome.zarr", "`scene.ome.zarr`, an image with its mask as a label image"),
}
"""By key: a file in the folder of the runs, and the title of its table."""
GDAL_FILES = (*STORES, "cog", "vrt")
FACTS = ("opens", "pixels", "crs", "nodata", "names", "colours")

Limits = Mapping[tuple[str, str], str]
"""What a reader does not see, by file and fact, with the reason."""

NO_V3 = "GDAL before 3.12 reads no Zarr v3."
NO_SHARDS = "GDAL before 3.13 reads no shards."
NO_ZARR = "GDAL before 3.4 reads no Zarr at all."
NO_PALETTE = "GDAL 3.6 takes no names and no colours from beside an array."
AXES = (
    "The code and the transform are right, but GDAL 3.6 swaps the axes of every Zarr array, those that it writes "
    "itself too: `gdalwarp` moves the mask elsewhere."
)
V3 = {("v3", "opens"): NO_V3, ("shards", "opens"): NO_V3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A row of every table of its files."""

    module: str
    """In this folder."""
    files: tuple[str, ...]
    python: str | None = None
    """Version of the interpreter of its environment; none for the one that runs the tests, ``debian`` for Debian's."""
    packages: tuple[str, ...] = ()
    """What its environment holds."""
    nightly: bool = False
    limits: Limits = field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join((self.module, *self.packages[:1]))


def rasterio(python: str, version: str, limits: Limits) -> Reader:
    """Another rasterio than the one that the package runs with."""
    packages = (f"rasterio=={version}",)
    return Reader(
        module="rasterio_reader", files=GDAL_FILES, python=python, packages=packages, nightly=True, limits=limits
    )


OME = ("ome-zarr==0.21.0", "napari-ome-zarr==0.11.0", "napari==0.9.2")
READERS = (
    Reader(module="xarray_reader", files=STORES),
    Reader(module="rioxarray_reader", files=("cog", "vrt")),
    Reader(module="odc_reader", files=STORES),
    Reader(module="zarr_reader", files=STORES),
    Reader(module="tensorstore_reader", files=STORES),
    Reader(module="ome_reader", files=(*STORES, "labels"), python="3.12", packages=OME, nightly=True),
    Reader(module="napari_reader", files=(*STORES, "labels"), python="3.12", packages=OME, nightly=True),
    rasterio("3.8", "1.1.8", {(file, "opens"): NO_ZARR for file in STORES}),
    rasterio("3.8", "1.3.7", {**V3, ("v2", "colours"): NO_PALETTE}),
    Reader(module="rasterio_reader", files=GDAL_FILES, limits=V3),
    rasterio("3.12", "1.5.2", {("shards", "opens"): NO_SHARDS}),
    Reader(
        module="gdalinfo_reader",
        files=GDAL_FILES,
        nightly=True,
        limits={**V3, ("v2", "crs"): AXES, ("v2", "names"): NO_PALETTE, ("v2", "colours"): NO_PALETTE},
    ),
    Reader(
        module="qgis_reader",
        files=GDAL_FILES,
        python="debian",
        nightly=True,
        limits={**V3, ("v2", "names"): NO_PALETTE, ("v2", "colours"): NO_PALETTE},
    ),
    Reader(module="cogeo_validator", files=("cog",)),
    Reader(module="yaozarrs_validator", files=(*STORES, "labels")),
)
