"""Networks, normalisations and rasters that do not look right together, each in a sentence; those that do, in none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.geometry.grid import Grid
from pipeline.geometry.margin import Margin, Trim
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation
from pipeline.inspect import plausibility
from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.interfaces import Locality, Pixels
from pipeline.models.input_transform import Transform
from pipeline.models.loaded import Loaded

CPU = torch.device("cpu")
NAMES = {0: "land", 1: "water", 2: "ice"}
SOFTMAX = ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1, 2))


@dataclass
class Reflectances:
    """Integers around 4,000 with a deviation of 900, in two bands, all valid but for the left of it."""

    valid: float = 0.9
    median: float = 4000.0
    spread: float = 900.0
    dtype: np.dtype[np.uint16] = field(default_factory=lambda: np.dtype("uint16"))
    grid: Grid = field(default_factory=lambda: Grid(height=900, width=1000))
    bands: int = 2
    windows: list[Window] = field(default_factory=list)

    def read(self, window: Window) -> Pixels:
        self.windows.append(window)
        rng = np.random.default_rng(window.row * 1000 + window.col)
        data = rng.normal(self.median, self.spread, (2, window.height, window.width)).clip(1, 65535).astype("uint16")
        cols = np.arange(window.col, window.col + window.width)
        return Pixels(data=data, valid=np.tile(cols >= (1 - self.valid) * 1000, (window.height, 1)))


class Net(nn.Module):
    """Three scores of two bands."""

    def __init__(self, weight: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.last = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 3, 1)
        with torch.no_grad():
            self.last.weight.mul_(weight)
            self.last.bias = nn.Parameter(torch.tensor([0.0, bias, 0.0]))
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        scores: torch.Tensor = self.last(torch.tanh(self.body(x)))
        return scores


def norm(scale: float = 1.0, mean: float = 0.0, std: float = 1.0) -> Normalisation:
    return Normalisation(scale=(scale,) * 2, offset=(0.0,) * 2, mean=(mean,) * 2, std=(std,) * 2)


def sight(
    net: nn.Module, how: Normalisation | None = None, source: Reflectances | None = None, **more: object
) -> NetworkOnRaster:
    locality = Locality(verdict="local", stride=1, radius=None, bands=2, classes=3, minimum=1)
    said = {
        "source": source or Reflectances(),
        "network": Loaded(module=net.eval(), identity_fields={}),
        "locality": locality,
        "normalisation": how or norm(1, 4000, 900),
        "device": CPU,
        "multiple": 1,
        "room": 512,
        **more,
    }
    return NetworkOnRaster(**said)  # type: ignore[arg-type]


def told(*given: object, **more: object) -> list[str]:
    return list(plausibility.plausibility_warnings(sight(*given, **more), SOFTMAX, NAMES))  # type: ignore[arg-type]


def test_what_fits_is_told_nothing_of_at_two_passes_and_few_small_reads() -> None:
    net, source = Net(), Reflectances()
    assert told(net, source=source) == []
    assert net.passes == 2
    assert len(source.windows) <= plausibility._TRIES
    assert all((window.height, window.width) == (64, 64) for window in source.windows)


@pytest.mark.parametrize(
    ("net", "how", "words"),
    [
        (Net(weight=0.0), None, "does not depend on the image"),
        (Net(bias=50.0), None, "noise and 16,384 px of the raster get class water alone"),
        (Net(), norm(), "3,99. in band 1, .* unless it normalises by itself"),
        (Net(), norm(mean=0.485, std=0.229), "in band 2, beyond 3 .* set model.input.scale too, such as 1.0e-4"),
        (Net(), norm(mean=100, std=90), "does not fit this raster"),
        (Net(), norm(mean=4000, std=2e5), "deviate by 0.004.. in band 1, .* only"),
    ],
    ids=["no weights", "one class", "raw", "of 0 to 1", "other", "narrow"],
)
def test_what_does_not_fit_is_told_in_one_sentence_with_what_to_change(
    net: Net, how: Normalisation | None, words: str
) -> None:
    (sentence,) = told(net, how)
    assert re.search(words, sentence), sentence


def test_a_table_of_positions_that_hides_the_image_is_seen() -> None:
    class Table(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = torch.arange(x.shape[2], dtype=torch.float32)[:, None].expand(x.shape[2:])
            return torch.stack([rows, rows.flip(0), 0 * rows])[None] + 0 * x.mean()

    (sentence,) = told(Table())
    assert "does not depend on the image" in sentence


def test_memory_that_runs_out_is_no_fault_of_the_network() -> None:
    class Large(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    (sentence,) = told(Large())
    assert sentence.startswith("cpu has no memory to try the network")


def test_values_that_a_transform_returned_are_not_called_those_of_the_raster() -> None:
    how = Normalisation(
        scale=(1.0,),
        offset=(0.0,),
        mean=(0.5,),
        std=(0.1,),
        transform=Transform(place="raw.py:log", bands=1, channels=1, code=()),
    )
    sample = plausibility.TrialImage(image=torch.full((1, 1, 4, 4), 60.0), counts=torch.ones(4, 4, dtype=torch.bool))
    (sentence,) = plausibility._normalisation_warnings(sample, how, np.dtype("uint16"))
    assert sentence.endswith("as model.input.transform returns them")


def test_margins_of_an_unpadded_network_are_not_compared() -> None:
    trim = Trim(before=1, after=1, least=3, step=1)
    margin = Margin(rows=trim, cols=trim)
    net = nn.Conv2d(2, 3, 3)
    net.weight, net.bias = nn.Parameter(1e-3 * net.weight), nn.Parameter(torch.tensor([0.0, 9.0, 0.0]))
    seen = sight(net)
    unpadded = replace(seen, network=seen.network.with_margin(margin), locality=replace(seen.locality, margin=margin))
    (sentence,) = plausibility.plausibility_warnings(unpadded, SOFTMAX, NAMES)
    assert "px of the raster get class water alone" in sentence, "a margin holds zeros, which are of class land"


def test_a_raster_without_a_valid_pixel_is_read_a_few_times_and_tells_nothing() -> None:
    source = Reflectances(valid=0.0)
    source.grid = Grid(height=900, width=900)
    assert told(Net(weight=0.0), source=source) == []
    assert len(source.windows) == plausibility._PATIENCE


def test_a_network_that_fails_on_the_raster_is_told_before_its_blocks_fail() -> None:
    class Fails(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("index out of range")

    (sentence,) = told(Fails())
    assert "RuntimeError: index out of range. Blocks will fail alike" in sentence


@pytest.mark.parametrize(
    ("minimum", "multiple", "room", "side"), [(1, 32, 512, 128), (1, 48, 512, 144), (200, 1, 512, 200), (1, 32, 70, 64)]
)
def test_the_sample_is_as_large_as_the_network_takes_and_memory_allows(
    minimum: int, multiple: int, room: int, side: int
) -> None:
    locality = Locality(verdict="local", stride=1, radius=None, bands=2, classes=3, minimum=minimum)
    sample = plausibility.trial_image(sight(Net(), locality=locality, multiple=multiple, room=room))
    assert sample is not None
    assert (sample.image.shape, sample.counts.shape) == ((1, 2, side, side), (side, side))
