"""The configs of the gallery are valid, and its page names each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.models import load

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs" / "gallery").glob("*.yaml"))
PAGE = ROOT / "docs" / "gallery.md"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_of_the_gallery_is_valid_and_says_how_it_is_run(path: Path) -> None:
    config, text = load_config(path), path.read_text()
    assert config.output.path == ROOT / "out" / f"{path.stem}.zarr"
    assert f"wholecloth run configs/gallery/{path.name}" in text
    for word in ("# Network:", "# Scene:", "# Change:", "icence" if path.stem != "fields" else "MIT"):
        assert word in text
    assert not re.search(r":\s+/|\[/", text), "a path of one machine"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_page_has_a_row_for_each_config_and_says_which_were_run(path: Path) -> None:
    row = next(line for line in PAGE.read_text().splitlines() if f"`configs/gallery/{path.name}`" in line)
    assert ("not run here" in row) == ("Not run here" in path.read_text())


@pytest.mark.parametrize("name", ["SimpleCNN", "Linear"])
def test_the_networks_of_the_floods_take_the_weights_as_they_are_named(name: str, tmp_path: Path) -> None:
    shapes = {"conv.0.weight": (3, 13, 1, 1), "conv.0.bias": (3,)}
    if name == "SimpleCNN":
        sizes = {"0.0": (64, 13, 3), "0.2": (64, 64, 3), "1.0": (128, 64, 3), "1.2": (128, 128, 3), "2": (3, 128, 1)}
        shapes = {f"conv.{key}.weight": (out, bands, side, side) for key, (out, bands, side) in sizes.items()}
        shapes |= {f"conv.{key}.bias": (out,) for key, (out, _, _) in sizes.items()}
    torch.save({key: torch.zeros(shape) for key, shape in shapes.items()}, tmp_path / "a.pt")
    factory = f"{ROOT / 'configs' / 'gallery' / 'floods_networks.py'}:{name}"
    network = load(ModelConfig(kind="python", factory=factory, path=tmp_path / "a.pt"), 13, torch.device("cpu"))
    assert network(torch.zeros(1, 13, 16, 16)).shape == (1, 3, 16, 16)
