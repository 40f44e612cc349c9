"""Slides as scanners write them, made by tifffile and pydicom."""

from __future__ import annotations

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


def aperio(path: Path, levels: list[np.ndarray], mpp: float | None = 0.2528, **more: Any) -> Path:
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
            text = f"Aperio Image Library v12\r\n{width}x{height}{name}|AppMag = 40{size}|User = secret-name"
            file.write(image, photometric="rgb", metadata=None, description=text, **how)
    return path


def pyramid(path: Path, levels: list[np.ndarray], **more: Any) -> Path:
    """A tiled pyramid as libvips writes it: a page a level."""
    how: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "metadata": None, **more}
    with tifffile.TiffWriter(path) as file:
        for k, level in enumerate(levels):
            file.write(level, subfiletype=int(k > 0), **how)
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


def dicom(folder: Path, levels: list[np.ndarray], mpp: float = 0.5) -> Path:
    """A series of VL Whole Slide Microscopy Image Storage, an instance for each level, of uncompressed tiles."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for k, level in enumerate(levels):
        rows, cols = level.shape[:2]
        down, across = -(-rows // TILE), -(-cols // TILE)
        padded = np.pad(level, ((0, down * TILE - rows), (0, across * TILE - cols), (0, 0)))
        tiles = padded.reshape(down, TILE, across, TILE, 3).swapaxes(1, 2)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.VLWholeSlideMicroscopyImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = Dataset()
        image.file_meta = meta
        image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        image.SeriesInstanceUID, image.StudyInstanceUID, image.FrameOfReferenceUID = series, study, frame
        image.Modality, image.PatientName, image.PatientID = "SM", "secret-name", "secret-number"
        image.ImageType = ["ORIGINAL" if k == 0 else "DERIVED", "PRIMARY", "VOLUME", "NONE" if k == 0 else "RESAMPLED"]
        image.Rows = image.Columns = TILE
        image.TotalPixelMatrixRows, image.TotalPixelMatrixColumns = rows, cols
        image.NumberOfFrames, image.DimensionOrganizationType = down * across, "TILED_FULL"
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
        image.BitsAllocated = image.BitsStored = 8
        image.HighBit, image.PixelRepresentation = 7, 0
        measures = Dataset()
        measures.PixelSpacing = [mpp * levels[0].shape[0] / rows / 1000, mpp * levels[0].shape[1] / cols / 1000]
        groups = Dataset()
        groups.PixelMeasuresSequence = [measures]
        image.SharedFunctionalGroupsSequence = [groups]
        image.PixelData = np.ascontiguousarray(tiles).tobytes()
        image.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder / "0.dcm"
