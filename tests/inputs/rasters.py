"""Rasters by the form of their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import tifffile
from rasterio.transform import from_origin

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests import scenes
from tests.inputs.rows import row
from tests.sources.array_files import forms
from tests.sources.gdal import test_ome_zarr as ome_zarr


def opened(path: str | Path, **more: Any) -> str:
    """Open a raster as a job does, and tell of it."""
    source = open_source(SourceConfig(path=str(path), **more))
    pixels = source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))
    height, width = source.grid.pixel_size
    where = source.grid.code or (f"{height:g} × {width:g} µm per px" if source.grid.unit == "um" else "no CRS")
    return (
        f"{source.bands} bands of {source.dtype}, {source.grid.height} × {source.grid.width} px, "
        f"{where}; {pixels.valid.mean():.0%} valid"
    )


def data(bands: int = 3, dtype: str = "uint16") -> np.ndarray:
    return scenes.position(40, 50, bands).astype(dtype)


@row("raster", "a GeoTIFF")
def geotiff(folder: Path) -> str:
    return opened(scenes.write(folder / "scene.tif", data()))


@row("raster", "a GeoTIFF whose nodata is 0")
def nodata(folder: Path) -> str:
    values = data()
    values[:, :20] = 0
    return opened(scenes.write(folder / "scene.tif", values, nodata=0))


@row("raster", "a fourth band that is tagged alpha")
def alpha(folder: Path) -> str:
    return opened(scenes.write(folder / "scene.tif", data(4, "uint8"), photometric="RGB", alpha="YES"))


def multiplied(path: Path, kind: str = "assocalpha") -> Path:
    tifffile.imwrite(path, np.moveaxis(data(4, "uint8"), 0, -1), photometric="rgb", extrasamples=[kind])
    return path


@row("raster", "colours that are multiplied by their alpha (associated alpha)")
def associated(folder: Path) -> str:
    path = multiplied(folder / "scene.tif")
    return f"{opened(path)}; {open_source(SourceConfig(path=str(path))).notes[0]}"


@row("raster", "a VRT over associated and plain alpha")
def both_alphas(folder: Path) -> str:
    parts = [multiplied(folder / f"{kind}.tif", kind) for kind in ("assocalpha", "unassalpha")]
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{color}</ColorInterp>'
        + "".join(
            f"<SimpleSource><SourceFilename>{part}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource>"
            for part in parts
        )
        + "</VRTRasterBand>"
        for band, color in enumerate(("Red", "Green", "Blue", "Alpha"), 1)
    )
    (folder / "both.vrt").write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')
    return opened(folder / "both.vrt")


@row("raster", "a band that is not there")
def missing_band(folder: Path) -> str:
    return opened(scenes.write(folder / "scene.tif", data()), bands=[1, 7])


@row("raster", "complex numbers")
def complex_numbers(folder: Path) -> str:
    return opened(scenes.write(folder / "radar.tif", data(1, "complex64")))


@row("raster", 'a level of an OME-Zarr by GDAL\'s name (`ZARR:"FILE":/0`)')
def level_of_ome_zarr(folder: Path) -> str:
    return opened(f'ZARR:"{ome_zarr.image(folder / "cells.ome.zarr")}":/0')


@row("raster", "an OME-Zarr without the name of a level")
def whole_ome_zarr(folder: Path) -> str:
    return opened(ome_zarr.image(folder / "cells.ome.zarr"))


@row("raster", "a path that does not exist")
def absent(folder: Path) -> str:
    return opened(folder / "absent.tif")


@row("raster", "a folder with rasters")
def folder_of_bands(folder: Path) -> str:
    (folder / "scene.SAFE").mkdir()
    for name in ("B04.tif", "B08.tif"):
        scenes.write(folder / "scene.SAFE" / name, data(1))
    return opened(folder / "scene.SAFE")


@row("raster", "a file per band, at 10 and 20 m (`kind: bands`)")
def file_per_band(folder: Path) -> str:
    scenes.write(folder / "B2.tif", data(1))
    scenes.write(folder / "B5.tif", data(1)[:, :20, :25], transform=from_origin(500_000, 4_600_000, 20, 20))
    return opened(folder / "B{band}.tif", kind="bands", bands=[2, 5])


@row("raster", "a folder without one")
def empty_folder(folder: Path) -> str:
    (folder / "scene.SAFE").mkdir()
    return opened(folder / "scene.SAFE")


def compressed(folder: Path, name: str, code: int) -> Path:
    """A TIFF that says another compression than its own."""
    path = folder / name
    tifffile.imwrite(path, np.zeros((256, 256, 3), "uint8"), tile=(128, 128), photometric="rgb")
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags["Compression"].valueoffset
    raw[at : at + 2] = code.to_bytes(2, "little")
    path.write_bytes(raw)
    return path


@row("raster", "a slide whose tiles are JPEG 2000 (Aperio)")
def jpeg_2000(folder: Path) -> str:
    return opened(compressed(folder, "slide.svs", 33005))


@row("raster", "a TIFF of a compression that GDAL lacks")
def other_codec(folder: Path) -> str:
    return opened(compressed(folder, "scan.tif", 34892))


@row("raster", "a file of a microscope")
def microscope(folder: Path) -> str:
    (folder / "cells.czi").write_bytes(b"ZISRAWFILE" + bytes(100))
    return opened(folder / "cells.czi")


@row("raster", "a slide that only OpenSlide reads")
def slide(folder: Path) -> str:
    (folder / "slide.mrxs").write_bytes(b"\xff\xd8\xff" + bytes(100))
    return opened(folder / "slide.mrxs")


@row("raster", "an array of numpy")
def array(folder: Path) -> str:
    np.save(folder / "scene.npy", data())
    return opened(folder / "scene.npy")


@row("raster", "an array of numpy, with `kind: zarr`, `axes: cyx` and `georeference: {crs: EPSG:32633, bounds: …}`")
def named_numpy(folder: Path) -> str:
    np.save(folder / "scene.npy", data())
    place = {"crs": "EPSG:32633", "bounds": [500_000, 4_599_600, 500_500, 4_600_000]}
    return opened(folder / "scene.npy", kind="zarr", axes="cyx", georeference=place)


@row("raster", "a cube of xarray in Zarr, with `kind: zarr` and `select: {time: 2024-06-01}`")
def cube(folder: Path) -> str:
    forms.xarray_v2(folder / "cube.zarr", data())
    return opened(folder / "cube.zarr", kind="zarr", variable="reflectance", select={"time": "2024-06-01"})


@row("raster", "a cube of xarray in Zarr, with `kind: zarr` and nothing selected")
def open_cube(folder: Path) -> str:
    forms.xarray_v2(folder / "cube.zarr", data())
    return opened(folder / "cube.zarr", kind="zarr")


@row("raster", "a hyperstack of ImageJ, of which nothing is selected")
def hyperstack(folder: Path) -> str:
    _hyperstack(folder)
    (note,) = open_source(SourceConfig(path=str(folder / "stack.tif"))).notes
    return f"{opened(folder / 'stack.tif')}; {note}"


@row("raster", "a hyperstack of ImageJ, with `select: {channel: 1, z: max}`")
def planes(folder: Path) -> str:
    _hyperstack(folder)
    return opened(folder / "stack.tif", select={"channel": 1, "z": "max"})


@row("raster", "a hyperstack of ImageJ, with `select: {channel: 2}`")
def absent_plane(folder: Path) -> str:
    _hyperstack(folder)
    return opened(folder / "stack.tif", select={"channel": 2, "z": 0})


def _hyperstack(folder: Path) -> None:
    stack = np.arange(3 * 2 * 40 * 50, dtype="uint16").reshape(3, 2, 40, 50)
    tifffile.imwrite(folder / "stack.tif", stack, imagej=True, metadata={"axes": "ZCYX"})


@row("raster", "a text")
def text(folder: Path) -> str:
    (folder / "scene.tif").write_text("not a raster")
    return opened(folder / "scene.tif")


@row("raster", "PNG, 8 bits")
def png(folder: Path) -> str:
    with rasterio.open(folder / "scene.png", "w", driver="PNG", count=3, height=40, width=50, dtype="uint8") as made:
        made.write(data(3, "uint8"))
    return opened(folder / "scene.png")
