"""What a network sees at any µm per px, taken from stores, beside resamplers that are none of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

from tests import scenes, slides
from tests.running.test_execute import go

MPP, SIDE = 0.2528, 400
PAGES = {0: 0, 1: 2}
"""Of the file, by level."""


class Copy(torch.nn.Module):
    """The pixels, by a convolution that a radius is measured of."""

    def __init__(self) -> None:
        super().__init__()
        self.same = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.same.weight.data.zero_()
        for band in range(3):
            self.same.weight.data[band, band, 1, 1] = 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.same(image)


def seen(folder: Path, name: str, source: dict[str, Any], **sections: Any) -> np.ndarray:
    """(3, rows, cols) float32 of the run's own numbers."""
    slide = folder / "a.svs"
    if not slide.exists():
        tissue = slides.tissue(SIDE)
        slides.aperio(slide, [tissue, slides.squares(tissue, 4)], MPP)
    model = {"path": str(scenes.script(Copy(), folder / "copy.pt")), "input": {"scale": 1}, "classes": None}
    output = {"layers": ["values"], **sections.pop("output", {})}
    read = {"kind": "slide", "path": str(slide), **source}
    go(scenes.config(folder, name, source=read, model=model, output=output, **sections))
    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / "0" / "values", mode="r")[:])


def by_pillow(level: np.ndarray, step: float, shape: tuple[int, int], method: str) -> np.ndarray:
    """(3, rows, cols) float32: the level brought to a size as a whole, band by band, in floats."""
    rows, cols = shape
    how: dict[str, Any] = {"resample": Image.Resampling[method], "box": (0, 0, cols * step, rows * step)}
    bands = [Image.fromarray(band.astype(np.float32)) for band in np.moveaxis(level, -1, 0)]
    return np.stack([np.asarray(band.resize((cols, rows), reducing_gap=None, **how)) for band in bands])


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("mpp", "resampling", "level"),
    [
        (0.5, "average", 0),
        (1.3, "bilinear", 1),
        (1.3, "average", 1),
        (0.5, "lanczos", 0),
        (0.5, "bilinear", 0),
        (0.9, "average", 0),
        (0.9, "lanczos", 0),
    ],
)
def test_a_run_sees_the_slide_resampled_whole_in_any_tiles(
    tmp_path: Path, mpp: float, resampling: str, level: int
) -> None:
    source = {"mpp": mpp, "resampling": resampling}
    pixels = seen(tmp_path, "whole", source)
    stored = tifffile.imread(tmp_path / "a.svs", key=PAGES[level])
    step = mpp / (MPP * 4**level)
    rows, cols = (int(length / step) for length in stored.shape[:2])  # beyond, pixels reach out of the slide
    if resampling == "average":
        expected = np.moveaxis(slides.averaged(stored, (step, step), (rows, cols)), -1, 0)
    else:
        expected = by_pillow(stored, step, (rows, cols), resampling.upper())
    inside = (slice(None), *(slice(8, length - 8) for length in (rows, cols)))
    assert np.abs(pixels[:, :rows, :cols] - np.clip(expected, 0, 255))[inside].max() <= 0.51
    if resampling == "average":
        assert np.abs(pixels[:, :rows, :cols] - expected).max() <= 0.51
    for name, sections in {
        "tiles": {"tile": {"size": 48}, "output": {"chunk": 32, "block": 32}},
        "blocks": {"tile": {"size": 80}, "output": {"chunk": 16, "block": 48}},
        "workers": {"output": {"chunk": 64, "block": 64}, "execution": {"engine": "threads", "workers": 2}},
    }.items():
        assert (seen(tmp_path, name, source, **sections) == pixels).all()
