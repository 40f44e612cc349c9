"""Files that hold a person's name in every place where their form has room for one; one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests import scenes

IN_PATH = "quillfeather"
"""The name in the path of a source: its folder and the file."""
IN_FILE = "zephyrine"
"""The name within a source."""
HEIGHT, WIDTH = 96, 128
OME_XML = (
    f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Experimenter LastName="{IN_FILE}"/>'
    f'<Image ID="Image:0" Name="{IN_FILE}"><Description>{IN_FILE}</Description><Pixels SizeX="{WIDTH}" '
    f'SizeY="{HEIGHT}" SizeC="3" SizeZ="1" SizeT="1" Type="uint8" DimensionOrder="XYCZT"/></Image></OME>'
)
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:creator>{IN_FILE}</dc:creator></x:xmpmeta>"
PAM = f'<PAMDataset><Metadata><MDI key="patient">{IN_FILE}</MDI></Metadata></PAMDataset>'


def pixels() -> np.ndarray:
    """(3, rows, cols) uint8: waves."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([128 + 100 * np.sin(rows / (5 + b)) * np.cos(cols / 7) for b in range(3)]).astype("uint8")


def tiff(path: Path) -> Path:
    """Tags of TIFF, GDAL's own metadata of file and bands, XMP, a sidecar, and pages of a label and a macro image."""
    label = scenes.write(path.with_name("page.tif"), np.full((3, 32, 32), 251, "uint8"))
    scenes.write(path, pixels())
    with rasterio.open(path, "r+") as file:
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"Aperio |Patient = {IN_FILE}",
            TIFFTAG_ARTIST=IN_FILE,
            TIFFTAG_DOCUMENTNAME=IN_FILE,
            TIFFTAG_HOSTCOMPUTER=IN_FILE,
            PATIENT=IN_FILE,
        )
        file.update_tags(1, PATIENT=IN_FILE)
        file.update_tags(ns="xml:XMP", **{"xml:XMP": XMP})
    for kind in ("label", "macro"):
        with rasterio.open(label, "r+") as page:
            page.update_tags(TIFFTAG_IMAGEDESCRIPTION=f"{kind} {IN_FILE}", TIFFTAG_ARTIST=IN_FILE)
        rasterio.shutil.copy(label, path, driver="GTiff", APPEND_SUBDATASET="YES", strict=False)
    label.unlink()
    path.with_name(f"{path.name}.aux.xml").write_text(PAM)
    return path


def ome_tiff(path: Path) -> Path:
    """OME-XML with an experimenter, and names of an image."""
    scenes.write(path, pixels())
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION=OME_XML)
    return path


def png(path: Path) -> Path:
    """Chunks of text, plain, compressed and international, and EXIF."""
    path, text, exif = path.with_suffix(".png"), PngInfo(), Image.Exif()
    text.add_text("Author", IN_FILE)
    text.add_text("Comment", IN_FILE, zip=True)
    text.add_itxt("Title", IN_FILE)
    exif[0x013B] = IN_FILE  # Artist
    Image.fromarray(np.moveaxis(pixels(), 0, -1)).save(path, pnginfo=text, exif=exif)
    return path


def jpeg(path: Path) -> Path:
    """EXIF and a comment."""
    path, exif = path.with_suffix(".jpg"), Image.Exif()
    exif[0x010E], exif[0x013B] = IN_FILE, IN_FILE  # ImageDescription, Artist
    Image.fromarray(np.moveaxis(pixels(), 0, -1)).save(path, exif=exif, comment=IN_FILE.encode())
    return path


def envi(path: Path) -> Path:
    """A header of text."""
    path = scenes.write(path.with_suffix(".img"), pixels(), driver="ENVI")
    header = path.with_suffix(".hdr")
    header.write_text(f"{header.read_text()}\ndescription = {{{IN_FILE}}}\npatient = {IN_FILE}\n")
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {"tiff": tiff, "ome": ome_tiff, "png": png, "jpeg": jpeg, "envi": envi}
"""By name. Each is given a path, whose ending it may change, and returns that of what is read."""
