"""A raster opened, and what is wrong with one that cannot be."""

from __future__ import annotations

import glob
import os
import re
import shlex
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.config.paths import is_gdal_name
from pipeline.config.source import one_raster
from pipeline.errors import SourceError
from pipeline.sources.gdal.contents import inner_names
from pipeline.sources.gdal.options import mask_urls

WEB = ("http", "https")
_VSI = {"http": "/vsicurl/", "https": "/vsicurl/", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}
"""GDAL's file systems by the schemes of URLs."""


def open_dataset(
    path: str, name: str = "", drivers: tuple[str, ...] = (), num_threads: int | None = None
) -> DatasetReader:
    """Open a raster.

    Parameters
    ----------
    path
        As GDAL opens it.
    name
        By which messages name it, where the path holds a signature.
    drivers
        Formats that it may have; all by default.
    num_threads
        Threads in which a GeoTIFF is decoded, where no formats are given; None for the one that reads.

    Raises
    ------
    SourceError
        There is none, or none with bands, or it has another format.
    """
    options = {} if num_threads is None else {"num_threads": num_threads}
    try:
        dataset: DatasetReader = _opened_by(path, drivers) if drivers else rasterio.open(path, **options)
    except (RasterioError, OSError) as error:
        if name:
            raise SourceError(_unread_file(path, name, drivers, error)) from None
        advice = mask_urls(remedy(path, last_line(error))) if _is_there(path) else ANY_RASTER
        raise SourceError(f"source.path is {mask_urls(path)}, which {_problem(path, error)}. {advice}") from error
    if dataset.count == 0:
        inner = f" Name one of its subdatasets: {', '.join(inner_names(dataset)[:3])}." if dataset.subdatasets else ""
        if dataset.driver in ARRAY_DRIVERS:
            inner += f" {ARRAYS_BY_NAME}"
        raise SourceError(f"source.path is {mask_urls(path)}, which has no bands of its own.{inner}")
    return dataset


def _opened_by(path: str, drivers: tuple[str, ...]) -> DatasetReader:
    """A file opened by some drivers alone, for which `rasterio.open` has no form."""
    scheme, separator, rest = path.partition("://")
    with rasterio.Env():
        return DatasetReader(f"{_VSI[scheme]}{path if scheme in WEB else rest}" if separator else path, driver=drivers)


def _unread_file(path: str, name: str, drivers: tuple[str, ...], error: BaseException) -> str:
    """Of a file that a catalogue names: why it cannot be opened."""
    reason = last_line(error).replace(mask_urls(path), mask_urls(name))
    if not _is_there(name):
        reason = "it does not exist"
    return (
        f"{mask_urls(name)} cannot be opened ({reason}). Files of a catalogue are images that name no other file: "
        f"{', '.join(drivers)}. Mend the item, or leave the asset out."
    )


def without_sample(path: str) -> str:
    """A path with the file of a sample in place of its name; the sample is made where it is not there."""
    if not path.startswith("sample://"):
        return path
    from pipeline.sources.samples import sample_raster

    return str(sample_raster(path))


def bands_of(path: str, dataset: DatasetReader, bands: list[int] | None) -> tuple[int, ...]:
    """The bands to read, counted from 1: those that are named, else all but alpha.

    Raises SourceError where there is no such band.
    """
    indexes = tuple(bands or (i for i, kind in enumerate(dataset.colorinterp, 1) if kind is not ColorInterp.alpha)) or (
        1,
    )
    missing = [i for i in indexes if i > dataset.count]
    if missing:
        raise SourceError(
            f"source.bands asks for band {missing[0]}, but {mask_urls(path)} has {dataset.count} bands. "
            f"Bands count from 1."
        )
    if any(np.dtype(_numpy_dtype(dataset.dtypes[i - 1])).kind == "c" for i in indexes):
        raise SourceError(
            f"{mask_urls(path)} holds complex numbers ({dataset.dtypes[0]}), which no network takes. Give "
            f"its amplitude or its parts as bands."
        )
    return indexes


def last_line(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps one cause further down."""
    text = str(error.__cause__ or error).strip()
    return mask_urls(text.splitlines()[-1])[:200] if text else type(error).__name__


def _numpy_dtype(dtype: str) -> str:
    return "complex64" if dtype.startswith("complex") else dtype


def _is_there(path: str) -> bool:
    """Whether there is something at a path, as far as can be known without GDAL."""
    return "://" in path or path.startswith("/vsi") or is_gdal_name(path) or os.path.exists(path)


def _problem(path: str, error: BaseException) -> str:
    """Why a path cannot be opened."""
    if _is_there(path):
        return f"cannot be opened as a raster ({last_line(error)})"
    matches = sorted(glob.glob(path))
    return f"names {len(matches)} files; {one_raster(matches)}" if matches else "does not exist"


ANY_RASTER = "Give anything GDAL opens: GeoTIFF, COG, VRT, JPEG 2000, PNG, https://…, /vsis3/…."
ARRAYS_BY_NAME = "kind: zarr reads arrays by name, with source.variable and source.select."
ARRAY_OF_NUMPY = "kind: zarr reads it, with source.axes and source.georeference."
ARRAY_DRIVERS = ("Zarr", "netCDF", "HDF5", "HDF5Image")
"""GDAL's names of the drivers of files that hold arrays."""
JPEG_2000 = ("33003", "33005", "34712", "JP2000")
"""How GDAL names this compression of a TIFF: by Aperio's two numbers, and by its own."""
MICROSCOPES = (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".lsm", ".zvi", ".dv", ".ims")
SLIDES = (".mrxs", ".ndpi", ".scn", ".bif", ".svslide", ".svs", ".vms")
SLIDE_ADVICE = "source.kind: slide reads it, with pip install 'wholecloth[slides]'"
NAMED_ARRAYS = (".zarr", ".nc", ".nc4", ".h5", ".hdf5", ".he5", ".npy")
"""Names of files whose arrays another kind of source reads by name."""
ARRAY_FILES = (".npz", ".mat", ".pkl", ".pt", ".pth", ".onnx", ".csv", ".parquet")
RASTERS = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".nc")
"""What is looked for in a folder."""


def remedy(path: str, message: str) -> str:
    """What to do, in one sentence.

    Parameters
    ----------
    path
        That is given.
    message
        What GDAL says of it.
    """
    place, ending = Path(path), Path(path).suffix.lower()
    if ending in NAMED_ARRAYS or ".zarr/" in path or _is_zarr(place):
        return ARRAYS_BY_NAME if ending != ".npy" else ARRAY_OF_NUMPY
    if place.is_dir():
        return _folder(place)
    codec = re.search(r"missing codec (?:of code )?(\w+)", message)
    if codec and codec[1] in JPEG_2000:
        return f"Its pixels are compressed by JPEG 2000, which this GDAL does not decode in a TIFF; {SLIDE_ADVICE}."
    if codec:
        return (
            f"Its pixels are compressed by {codec[1]}, which this GDAL does not decode; write it again "
            f"with DEFLATE, LZW, ZSTD or JPEG where it can be read."
        )
    if ending in SLIDES:
        return f"It is named as slides are: {SLIDE_ADVICE}."
    if ending in MICROSCOPES:
        return (
            f"Files of microscopes are converted once with bfconvert -tilex 512 -tiley 512 "
            f"{_pair(place, '.ome.tif')} (Bio-Formats)."
        )
    if ending in ARRAY_FILES:
        return "It is no raster: write its pixels as a GeoTIFF, of (bands, rows, cols), with rasterio or tifffile."
    return ANY_RASTER


def _is_zarr(place: Path) -> bool:
    return any((place / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def _pair(place: Path, ending: str) -> str:
    """A file and what is made of it, as a shell takes them."""
    return shlex.join([str(place), str(place.with_suffix(ending))])


def _folder(place: Path) -> str:
    inside = sorted(file for file in place.rglob("*") if file.suffix.lower() in RASTERS and file.is_file())[:5]
    if not inside:
        return "It is a folder without a raster in it: give a file."
    return (
        f"It is a folder: give one of the files in it, such as {', '.join(map(str, inside))}; kind: mosaic reads files "
        f"that lie beside each other as one raster, and kind: bands files of one band each."
    )
