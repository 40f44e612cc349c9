"""Photograph a slide with its mask: the picture of docs/slides.md.

    python docs/images/slide_picture.py OUT docs/images

The slide is made of the sample `ihc`, mirrored, on glass, as an SVS; the network is that of
configs/medical.yaml, and only the tissue is inferred, the pale blue of it too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
import tifffile
from PIL import Image
from view_picture import photograph

from pipeline.sources.samples import sample_raster

SIDE, MPP = 2048, 0.5
GLASS = (243, 241, 244)
SIGHTS = {"slide.png": ((980, 640), "light", "#at=1110,1090&scale=2.1&layer=mask&opacity=0.55&lines=outlines")}


def write_slide(path: Path) -> None:
    """A piece of tissue on glass, in two levels."""
    with rasterio.open(sample_raster("sample://ihc?size=1024")) as file:
        piece = np.moveaxis(file.read([1, 2, 3]), 0, -1)
    top, left = ((SIDE - length) // 2 for length in piece.shape[:2])
    image = np.full((SIDE, SIDE, 3), GLASS, np.uint8)
    image[top : top + len(piece), left : left + piece.shape[1]] = piece
    rows, cols = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    angle = np.arctan2(rows, cols)
    image[np.hypot(rows, cols) > 470 + 30 * np.sin(3 * angle) + 12 * np.sin(11 * angle)] = GLASS
    text = f"Aperio Image Library v12\r\n{SIDE}x{SIDE}|AppMag = 20|MPP = {MPP}"
    options = {"tile": (256, 256), "photometric": "rgb", "compression": "jpeg", "metadata": None, "description": text}
    with tifffile.TiffWriter(path) as out:
        for level in (image, np.asarray(Image.fromarray(image).reduce(4))):
            out.write(level, **options)


def main(out: Path, folder: Path) -> None:
    """Make the slide, run, and photograph."""
    out.mkdir(parents=True, exist_ok=True)
    write_slide(out / "slide.svs")
    keys = {
        "source.kind": "slide",
        "source.path": out / "slide.svs",
        "source.mpp": MPP,
        "source.only": "tissue",
        "source.tissue.saturation": 0.03,
        "source.tissue.pens": "false",
    }
    given = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "run",
        "configs/medical.yaml",
        *given,
        "--out",
        str(out / "slide.zarr"),
    ]
    subprocess.run([*command, "--fresh"], check=True)
    photograph(out / "slide.zarr", folder, SIGHTS, "µm²")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
