from pathlib import Path

import torch

from pipeline.load_config import load
from pipeline.resolve_halo.places import places
from pipeline.sources import open_source
from pipeline.stages.normalise import Normalisation
from tests import scenes


def test_places_lie_on_the_stride_and_prefer_valid_pixels(tmp_path: Path) -> None:
    data = scenes.position(400, 400)
    data[:, :, :250] = 0
    source = open_source(load(scenes.config(tmp_path, source={"path": str(scenes.write(tmp_path / "half.tif", data, nodata=0))})).source)
    how = Normalisation(scale=(1.0,) * 3, offset=(0.0,) * 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    found = places(source, how, torch.device("cpu"), side=64, multiple=8, count=3, seed=0)
    assert len(found) == 3
    for x, valid in found:
        assert valid.mean() >= 0.95
        assert x.shape == (1, 3, 64, 64)
        assert (int(x[0, 0, 0, -1]) - 1) % 8 == 0, "the row of its first pixel"
    again = places(source, how, torch.device("cpu"), side=64, multiple=8, count=3, seed=0)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(found, again, strict=True))
