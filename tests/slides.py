"""Slides as scanners write them, made by tifffile and pydicom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

SIDE = 700
"""Rows and columns of level 0, px: no multiple of a level's scale or of a tile."""
TILE = 128


def tissue(side: int = SIDE, seed: int = 0) -> np.ndarray:
    """(rows, cols, 3) uint8: smooth structures of some px, as stained cells are."""
    rng = np.random.default_rng(seed)
    coarse = (rng.random((side // 6, side // 6, 3)) * 255).astype("uint8")
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def squares(image: np.ndarray, scale: int) -> np.ndarray:
    """A level of whole squares: what is no whole square is left out."""
    rows, cols = (length // scale for length in image.shape[:2])
    whole = image[: rows * scale, : cols * scale].reshape(rows, scale, cols, scale, -1)
    return np.floor(whole.mean((1, 3)) + 0.5).astype(image.dtype)


def brought(image: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """A level that all of level 0 is brought to."""
    return np.asarray(Image.fromarray(image).resize((cols, rows), Image.Resampling.BOX, reducing_gap=None))


def aperio(
    path: Path, levels: list[np.ndarray], mpp: float | None = 0.2528, user: str = "secret-name", **more: Any
) -> Path:
    """As Aperio's scanners write it: level 0, a thumbnail in strips, the other levels, label and macro."""
    height, width = levels[0].shape[:2]
    tiled: dict[str, Any] = {"tile": (TILE, TILE), "compression": "jpeg", "compressionargs": {"level": 95}, **more}
    thumbnail = levels[0][::8, ::8].copy()
    label = np.full((60, 80, 3), (255, 0, 0), np.uint8)
    pages = [(levels[0], tiled, ""), (thumbnail, {"rowsperstrip": 16}, " -> thumbnail")]
    pages += [(level, tiled, f" -> {level.shape[1]}x{level.shape[0]}") for level in levels[1:]]
    pages += [
        (label, {"rowsperstrip": 16, "subfiletype": kind}, f" {name}") for name, kind in (("label", 1), ("macro", 9))
    ]
    size = "" if mpp is None else f"|MPP = {mpp}"
    with tifffile.TiffWriter(path) as file:
        for image, how, name in pages:
            text = f"Aperio Image Library v12\r\n{width}x{height}{name}|AppMag = 40{size}|User = {user}"
            file.write(image, photometric="rgb", metadata=None, description=text, **how)
    return path


def pyramid(path: Path, levels: list[np.ndarray], **more: Any) -> Path:
    """A tiled pyramid as libvips writes it: a page a level."""
    how: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "metadata": None, **more}
    with tifffile.TiffWriter(path) as file:
        for k, level in enumerate(levels):
            file.write(level, subfiletype=int(k > 0), **how)
    return path


def ome(path: Path, levels: list[np.ndarray], mpp: float = 0.5) -> Path:
    """An OME-TIFF: its levels are SubIFDs of the first, its size stands in XML."""
    how: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "zlib"}
    sizes = {f"PhysicalSize{axis}{end}": value for axis in "XY" for end, value in (("", mpp), ("Unit", "µm"))}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(levels[0], subifds=len(levels) - 1, metadata={"axes": "YXS", **sizes}, **how)
        for level in levels[1:]:
            file.write(level, subfiletype=1, metadata=None, **how)
    return path


def averaged(image: np.ndarray, steps: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """(rows, cols, 3) float64: exact means of what pixels of so many px cover, by sums of areas."""
    down, across = (_shares(*axis) for axis in zip(image.shape[:2], steps, shape, strict=True))
    return np.einsum("ir,rcb,jc->ijb", down, image.astype(np.float64), across, optimize=True)


def _shares(length: int, step: float, count: int) -> np.ndarray:
    """(count, length) of each pixel of the result, how much each pixel of the image counts for."""
    low, high = np.arange(count)[:, None] * step, (np.arange(count)[:, None] + 1) * step
    shares = np.clip(np.minimum(np.arange(length) + 1, high) - np.maximum(np.arange(length), low), 0, None)
    return shares / shares.sum(1, keepdims=True)


def dicom(folder: Path, levels: list[np.ndarray], mpp: float = 0.5, user: str = "secret-name", stem: str = "") -> Path:
    """A series of VL Whole Slide Microscopy Image Storage, a file for each level and the label, of plain tiles."""
    from pydicom.uid import generate_uid

    ids = {f"{name}InstanceUID": generate_uid() for name in ("Series", "Study")}
    shared = {
        **ids,
        "FrameOfReferenceUID": generate_uid(),
        "PatientName": user,
        "PatientID": user,
        "StudyDescription": user,
    }
    rows, cols = levels[0].shape[:2]
    for k, level in enumerate(levels):
        flavours = (
            ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"] if k == 0 else ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
        )
        spacing = [mpp * rows / level.shape[0] / 1000, mpp * cols / level.shape[1] / 1000]
        _instance(folder / f"{stem}{k}.dcm", level, flavours, spacing, shared)
    label = np.full((TILE, TILE, 3), (255, 0, 0), np.uint8)
    _instance(folder / f"{stem}label.dcm", label, ["ORIGINAL", "PRIMARY", "LABEL", "NONE"], [0.05, 0.05], shared)
    return folder / f"{stem}0.dcm"


def _instance(path: Path, image: np.ndarray, flavours: list[str], spacing: list[float], shared: dict[str, Any]) -> None:
    """One file: its tiles in rows, those at the far edges filled up."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage, generate_uid

    rows, cols = image.shape[:2]
    down, across = -(-rows // TILE), -(-cols // TILE)
    padded = np.pad(image, ((0, down * TILE - rows), (0, across * TILE - cols), (0, 0)))
    measures, groups, meta = Dataset(), Dataset(), FileMetaDataset()
    measures.PixelSpacing, groups.PixelMeasuresSequence = spacing, [measures]
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = VLWholeSlideMicroscopyImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document = Dataset()
    document.file_meta = meta
    fields = {
        **shared,
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "SM",
        "ImageType": flavours,
        "Rows": TILE,
        "Columns": TILE,
        "TotalPixelMatrixRows": rows,
        "TotalPixelMatrixColumns": cols,
        "NumberOfFrames": down * across,
        "DimensionOrganizationType": "TILED_FULL",
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "SharedFunctionalGroupsSequence": [groups],
        "PixelData": np.ascontiguousarray(padded.reshape(down, TILE, across, TILE, 3).swapaxes(1, 2)).tobytes(),
    }
    for name, value in fields.items():
        setattr(document, name, value)
    document.save_as(path, enforce_file_format=True)


def _aperio_form(folder: Path, levels: list[np.ndarray], mpp: float) -> Path:
    return aperio(folder / "slide.svs", levels, mpp, compression="zlib", compressionargs={"level": 6})


def _tiled_form(folder: Path, levels: list[np.ndarray], mpp: float) -> Path:
    per_cm = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    return pyramid(folder / "slide.tif", levels, compression="zlib", **per_cm)


FORMS: dict[str, Callable[[Path, list[np.ndarray], float], Path]] = {
    "aperio": _aperio_form,
    "tiled": _tiled_form,
    "ome": lambda folder, levels, mpp: ome(folder / "slide.ome.tif", levels, mpp),
    "dicom": dicom,
}
"""The same pixels as each form stores them; each is given a folder, levels and µm per px, and returns a path."""
