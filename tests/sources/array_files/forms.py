"""One scene in every form of file that holds arrays with named dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from rasterio.crs import CRS

WKT = CRS.from_epsg(32633).to_wkt()
LEFT, TOP, SIZE = 500_000.0, 4_600_000.0, 10.0
TIMES = np.array(["2024-05-30T10:00", "2024-06-01T10:30"], "M8[ns]")
BANDS = ["B02", "B03", "B04"]
SELECT: dict[str, Any] = {"time": "2024-06-01"}


def coordinates(height: int, width: int) -> dict[str, np.ndarray]:
    """Centres of pixels, the northernmost row first."""
    return {"y": TOP - SIZE * (np.arange(height) + 0.5), "x": LEFT + SIZE * (np.arange(width) + 0.5)}


def cube(scene: np.ndarray, reverse: bool = False, nodata: int | None = 0) -> xr.Dataset:
    """Times, bands, rows and columns, as rioxarray would have them: the scene is the second time."""
    bands, height, width = scene.shape
    places = coordinates(height, width)
    values = np.stack([scene[::-1] + 1, scene]).astype(scene.dtype)
    data = xr.Dataset(
        {"reflectance": (("time", "band", "y", "x"), values, {"grid_mapping": "spatial_ref"})},
        coords={"time": TIMES, "band": BANDS[:bands], **places, "spatial_ref": ((), 0, {"crs_wkt": WKT})},
    )
    if nodata is not None:
        data["reflectance"].attrs["missing_value"] = nodata
    return data.isel(y=slice(None, None, -1)) if reverse else data


def xarray_v2(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """Zarr v2 by xarray, whose rows run from south to north."""
    cube(scene, reverse=True).to_zarr(
        path, zarr_format=2, consolidated=True, encoding={"reflectance": {"chunks": (1, 1, 64, 50)}}
    )
    return {"variable": "reflectance", "select": SELECT}


def xarray_v3(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """Zarr v3 by xarray."""
    quiet(
        lambda: cube(scene).to_zarr(
            path, zarr_format=3, consolidated=False, encoding={"reflectance": {"chunks": (2, 3, 64, 64)}}
        )
    )
    return {"variable": "reflectance", "select": {**SELECT, "band": BANDS[: len(scene)]}}


def sharded(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """Zarr v3 by xarray, chunks of which lie in shards."""
    encoding = {"reflectance": {"chunks": (1, 1, 32, 32), "shards": (1, 1, 64, 96)}}
    quiet(lambda: cube(scene).to_zarr(path, zarr_format=3, consolidated=False, encoding=encoding))
    return {"variable": "reflectance", "select": {"time": "2024-06-01T10:30"}}


def geozarr(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """Zarr v3 with the attributes of GeoZarr, and no coordinates."""
    group = zarr.open_group(path, mode="w", attributes={"proj:code": "EPSG:32633"})
    place = {
        "spatial:dimensions": ["northing", "easting"],
        "spatial:transform": [SIZE, 0, LEFT, 0, -SIZE, TOP],
        "spatial:shape": list(scene.shape[1:]),
        "_FillValue": 0,
    }
    array = group.create_array(
        "levels/fine",
        shape=(*scene.shape[1:], len(scene)),
        chunks=(64, 64, len(scene)),
        dtype=scene.dtype,
        attributes=place,
        dimension_names=("northing", "easting", "band"),
    )
    array[:] = np.moveaxis(scene, 0, -1)
    return {"variable": "levels/fine"}


def netcdf4(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """NetCDF 4, rows from south to north."""
    encoding = {"reflectance": {"chunksizes": (1, 1, 64, 64), "zlib": True}}
    cube(scene, reverse=True).to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return {"variable": "reflectance", "select": SELECT}


def netcdf3(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """NetCDF of the classic form, which has signed integers alone."""
    data = cube(scene.astype("int16")).assign_coords(band=np.arange(len(scene)))
    data["reflectance"].attrs["_Unsigned"] = "true"
    data.to_netcdf(path, engine="scipy")
    return {"variable": "reflectance", "select": SELECT}


def plain_hdf5(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """HDF5 whose dimensions have no names."""
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_dataset("scans/first", data=np.moveaxis(scene, 0, -1), chunks=(64, 50, len(scene)))
        data.attrs["_FillValue"] = np.array([0], scene.dtype)
    return {"variable": "scans/first", "axes": "yxc", "georeference": GEOREFERENCE}


def numpy_array(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """NumPy's own form, which says nothing but its shape."""
    np.save(path, scene)
    return {"axes": ["band", "y", "x"], "nodata": 0, "georeference": {**GEOREFERENCE, **bounds_of(scene)}}


def bounds_of(scene: np.ndarray) -> dict[str, Any]:
    """Of a scene in a config, without a transform."""
    return {"transform": None, "bounds": [LEFT, TOP - SIZE * scene.shape[1], LEFT + SIZE * scene.shape[2], TOP]}


GEOREFERENCE: dict[str, Any] = {"crs": "EPSG:32633", "transform": [SIZE, 0, LEFT, 0, -SIZE, TOP]}


def ome(path: Path, scene: np.ndarray, zarr_format: int = 3) -> dict[str, Any]:
    """OME-Zarr with times, channels, planes and two levels."""
    axes = [
        {
            "name": name,
            "type": "space" if name in "zyx" else "other",
            **({"unit": "micrometer"} if name in "yx" else {}),
        }
        for name in "tczyx"
    ]
    levels = [
        {"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 0.5 * 2**k, 0.5 * 2**k]}]}
        for k in range(2)
    ]
    image = {"axes": axes, "datasets": levels, **({"version": "0.4"} if zarr_format == 2 else {})}
    labels = {"channels": [{"label": name} for name in ("DAPI", "GFP", "Cy5")]}
    document = {"multiscales": [image], "omero": labels}
    attributes = document if zarr_format == 2 else {"ome": {"version": "0.5", **document}}
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format, attributes=attributes)  # type: ignore[arg-type]
    for k in range(2):
        level = scene[:, :: k + 1, :: k + 1]
        array = group.create_array(
            str(k),
            shape=(1, len(scene), 2, *level.shape[1:]),
            chunks=(1, 1, 1, 64, 64),
            dtype=scene.dtype,
            attributes={"missing_value": 0},
        )
        array[0, :, 0], array[0, :, 1] = level[::-1] + 1, level
    return {"select": {"z": 1, "channel": ["DAPI", "GFP", "Cy5"]}}


def ome_v04(path: Path, scene: np.ndarray) -> dict[str, Any]:
    """OME-Zarr 0.4, of Zarr v2."""
    return ome(path, scene, 2)


def quiet(write: Callable[[], object]) -> None:
    """Write text coordinates, of whose form zarr warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write()


FORMS: dict[str, tuple[str, Callable[[Path, np.ndarray], dict[str, Any]]]] = {
    "sharded": ("cube.zarr", sharded),
    "netcdf 4": ("cube.nc", netcdf4),
    "xarray v2": ("cube.zarr", xarray_v2),
    "xarray v3": ("cube.zarr", xarray_v3),
    "geozarr": ("cube.zarr", geozarr),
    "ome 0.4": ("image.zarr", ome_v04),
    "ome 0.5": ("image.zarr", ome),
    "netcdf 3": ("cube.nc", netcdf3),
    "hdf5": ("cube.h5", plain_hdf5),
    "numpy": ("cube.npy", numpy_array),
}
"""By name: the file's name, and what writes it and returns the keys of ``source`` that read it."""
