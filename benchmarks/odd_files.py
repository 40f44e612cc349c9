"""Run the public command on every raster of a folder with a pixelwise network, and compare with what rasterio reads.

    python benchmarks/odd_files.py FOLDER

The network's only class score is the sum of the bands against a threshold, so that each label can be worked out from
the file alone. Prints a Markdown table; exits 1 where a mask differs or a failure is not told in one paragraph.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
import yaml
import zarr
from rasterio.enums import ColorInterp, MaskFlags

SKIPPED = {".xml", ".ovr", ".msk", ".rst", ".md"}


def main(folder: Path) -> int:
    """Print the table; returns the exit code."""
    rows, wrong = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in SKIPPED):
            said, good = check(path, Path(scratch))
            rows.append(f"| `{path.relative_to(folder)}` | {said} |")
            wrong += not good
    print("| file | size, bands, dtype | CRS | nodata | outcome |\n|---|---|---|---|---|")
    print(*rows, sep="\n")
    print(f"\n{len(rows)} files, {wrong} of them not as they should be.", file=sys.stderr)
    return int(wrong > 0)


def check(path: Path, scratch: Path) -> tuple[str, bool]:
    """Table cells of one file, and whether it ran and is right, or failed with a clear error."""
    about, bands, middle = describe(path)
    store = scratch / f"{abs(hash(path))}.zarr"
    done = run(path, store, network(scratch, bands, middle), scratch)
    if done.returncode == 0:
        differing = compare(path, store, middle)
        return f"{about} | {'equal' if differing == 0 else f'{differing} labels differ'}", differing == 0
    message = done.stderr.strip().splitlines()
    clear = "cannot be" in about and done.returncode in (1, 2) and "Traceback" not in done.stderr
    return (
        f"{about} | exit {done.returncode}: "
        f"{message[-1].replace(str(path.resolve().parent), '…').replace(str(store), 'STORE')[:400] if message else ''}",
        clear,
    )


def describe(path: Path) -> tuple[str, int, float]:
    """Cells that say what the file is; number of bands but alpha; middle of the sums of its valid pixels."""
    try:
        src = rasterio.open(path)
    except rasterio.errors.RasterioError:
        return "cannot be opened | – | –", 1, 0.25
    with src:
        crs = src.crs.to_string()[:24] if src.crs else ("GCPs only" if src.gcps[0] else "none")
        said = f"{src.height}×{src.width}, {src.count}, {src.dtypes[0]} | {crs} | {src.nodata}"
        bands = sum(kind is not ColorInterp.alpha for kind in src.colorinterp) or 1
        try:
            raw, valid = read(src)
        except rasterio.errors.RasterioError:
            return f"{said} (cannot be read whole)", bands, 0.25
        sums = score(raw)[valid]
        return said, bands, float(np.median(sums)) + 0.25 if len(sums) else 0.25


def read(src: rasterio.DatasetReader) -> tuple[np.ndarray, np.ndarray]:
    """All bands but alpha, and validity by the rules of the documentation, written anew here."""
    indexes = [i for i, kind in enumerate(src.colorinterp, 1) if kind is not ColorInterp.alpha] or [1]
    raw = src.read(indexes)
    marks = []
    for band, index in zip(raw, indexes, strict=True):
        nodata = src.nodatavals[index - 1]
        marks.append(
            np.zeros(band.shape, bool)
            if nodata is None or np.isnan(nodata)
            else band == np.array(nodata).astype(band.dtype)
        )
    valid = ~np.logical_and.reduce(marks)
    if raw.dtype.kind == "f":
        valid &= np.isfinite(raw).all(0)
    if ColorInterp.alpha in src.colorinterp:
        valid &= src.read(src.colorinterp.index(ColorInterp.alpha) + 1) > 0
    elif MaskFlags.per_dataset in src.mask_flag_enums[0]:
        valid &= src.read_masks(1) > 0
    return raw, valid


def score(raw: np.ndarray) -> np.ndarray:
    """Sum of the bands, (rows, cols) float32."""
    return raw.astype("float32").sum(0, dtype="float32")


def network(scratch: Path, bands: int, middle: float) -> Path:
    """Two classes: 0, and the sum of the bands above its middle."""
    head = torch.nn.Conv2d(bands, 2, 1)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[1] = 1
        head.bias[1] = -middle
    path = scratch / "pixelwise.pt"
    torch.jit.script(head.eval()).save(str(path))
    return path


def run(path: Path, store: Path, model: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    """The public command."""
    said: dict[str, Any] = {
        "source": {"path": str(path.resolve())},
        "model": {"kind": "torchscript", "path": str(model)},
        "output": {"path": str(store)},
        "execution": {"engine": "serial", "device": "cpu", "retries": 0},
    }
    config = scratch / "job.yaml"
    config.write_text(yaml.safe_dump(said))
    return subprocess.run([sys.executable, "-m", "pipeline", "run", str(config)], capture_output=True, text=True)


def compare(path: Path, store: Path, middle: float) -> int:
    """Labels that differ from the sum of what rasterio reads; sums that round onto the threshold do not count."""
    with rasterio.open(path) as src:
        raw, valid = read(src)
    sums = score(np.where(valid, raw, 0))
    expected = np.where(valid, sums > middle, 255)
    got = np.asarray(zarr.open_array(store / "0" / "mask", mode="r")[:])
    tie = np.abs(sums - middle) < 1e-5 * np.maximum(np.abs(sums), 1)
    return int(((got != expected) & ~(tie & valid & (got != 255))).sum())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
