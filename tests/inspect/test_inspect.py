from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.inspect.report import plot
from pipeline.inspect.report.arithmetic import flops_per_pixel
from pipeline.inspect.report.report import inspect_network
from pipeline.inspect.report.text import advice, rows, table
from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.classifiers import lenet
from pipeline.models.loaded import Loaded
from pipeline.planning.prepare import prepare_job
from pipeline.planning.subject import subject
from tests import networks, scenes


def findings(folder: Path, net: nn.Module | None = None, **sections: dict):
    if net is not None:
        sections["model"] = {"path": str(scenes.script(net, folder / "net.pt"))}
    return inspect_network(subject(prepare_job(load_config(scenes.config(folder, **sections)))))


def test_flops_are_those_of_the_convolutions_and_pixels_those_of_the_input() -> None:
    """8 filters of 3·9 products, then 4 of 8·9, two operations each; a quarter of it at stride 2."""
    network = Loaded(module=networks.Twice().eval(), identity_fields={"sha256": "two layers"})
    assert flops_per_pixel(network, 3, 1, torch.device("cpu")) == 2 * (8 * 27 + 4 * 72)
    dense = Loaded(module=NETWORKS["fcn"](bands=3, classes=4, width=8).eval(), identity_fields={"sha256": "dense"})
    assert flops_per_pixel(dense, 3, 1, torch.device("cpu")) == 2 * (27 * 8 + 72 * 16 + 144 * 32 + 288 * 32 + 32 * 4)


@pytest.mark.slow
def test_a_local_network_is_explained_with_its_exact_halo(tmp_path: Path) -> None:
    found = findings(tmp_path)
    exact = next(halo for halo in found.halos if halo.exact)
    assert found.parameters == sum(p.numel() for p in networks.UNet().parameters())
    assert exact.halo == 12
    assert exact.error < 1e-5 < found.halos[0].error
    assert exact.arithmetic == pytest.approx((found.tile / (found.tile - 24)) ** 2)
    assert [halo.halo for halo in found.halos] == sorted({halo.halo for halo in found.halos})
    assert all(halo.halo % 4 == 0 for halo in found.halos)
    assert "tile.halo: exact (12 px)" in advice(found)
    assert found.halos[0].differing > exact.differing == 0


def test_what_was_taken_off_a_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("from tests.networks import Twice\n")
    torch.save(
        {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in networks.Twice().state_dict().items()}},
        tmp_path / "last.ckpt",
    )
    model = {"kind": "python", "factory": f"{tmp_path / 'nets.py'}:Twice", "path": str(tmp_path / "last.ckpt")}
    found = findings(tmp_path, model=model)
    said = ["weights taken from state_dict", "prefix model. taken off the keys", "not read: epoch"]
    assert [text for name, text in rows(found) if name == "weights"] == said
    assert found.as_dict()["weights"] == said


@pytest.mark.slow
def test_a_network_that_is_not_local_is_not_promised_anything(tmp_path: Path) -> None:
    found = findings(tmp_path, networks.InstanceNormed())
    assert not any(halo.exact for halo in found.halos)
    assert "no halo makes tiles equal the whole" in advice(found)
    assert dict(rows(found))["verdict"] == "not local"
    assert "InstanceNorm" in dict(rows(found))["to blame"]


def test_an_unproven_network_is_promised_only_what_was_seen(tmp_path: Path) -> None:
    assert advice(findings(tmp_path, networks.Branching())).startswith("as far as was seen")


@pytest.mark.slow
def test_a_smaller_halo_is_offered_where_the_far_end_is_faint(tmp_path: Path) -> None:
    class Faint(nn.Module):
        """What is 40 px away counts for a hundred-thousandth."""

        def __init__(self) -> None:
            super().__init__()
            self.near, self.far = networks.conv(3, 4), networks.conv(3, 4, dilation=40)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.near(x) + 1e-5 * self.far(x)

    torch.manual_seed(0)
    found = findings(tmp_path, Faint(), tile={"size": 256})
    said = advice(found)
    assert "tile.halo: exact (40 px)" in said
    assert "tile.halo: 1 would leave at most" in said


def test_a_tile_without_a_core_is_told(tmp_path: Path) -> None:
    class Far(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(networks.conv(3, 4, dilation=60))

    found = findings(tmp_path, Far(), tile={"size": 124})
    lines = table(found.halos)
    assert len(lines) == len(found.halos) + 1
    assert lines[-1].endswith("exact")


@pytest.mark.slow
def test_everything_is_said_as_json_too(tmp_path: Path) -> None:
    said = json.loads(json.dumps(findings(tmp_path).as_dict()))
    assert said["verdict"] == "local"
    assert len(said["halo_profile"]["largest"]) == len(said["halo_profile"]["flipped"])
    assert {"parameters", "flops_per_pixel", "bytes_per_pixel", "stride", "radius", "blame", "halos"} <= set(said)


@pytest.mark.slow
def test_the_picture_is_drawn(tmp_path: Path) -> None:
    found = findings(tmp_path)
    path = plot.draw_halo_profile(found, tmp_path / "new" / "profile.png", "a title")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert pixels.shape[0] > 500_000
    for colour in (plot.CURVE, plot.COST):
        wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
        assert (np.abs(pixels.astype(int) - wanted).max(1) < 8).sum() > 200, "a curve is missing"


@pytest.mark.slow
def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"wholecloth\[plots\]"):
        plot.draw_halo_profile(found, tmp_path / "profile.png", "")


@pytest.mark.slow
def test_a_classifier_says_how_far_its_map_is_from_the_slid_one(tmp_path: Path) -> None:
    torch.save(lenet(4, 3).state_dict(), tmp_path / "lenet.pt")
    model = {
        "kind": "classifier",
        "path": str(tmp_path / "lenet.pt"),
        "factory": "pipeline.models.architectures.classifiers:lenet",
        "args": {"classes": 4, "bands": 3},
    }
    found = findings(tmp_path, model={**model, "input": {"mean": 500, "std": 200, "size": 32}})
    assert "to rounding, since nothing in it pads" in found.notes[0]


def test_what_was_measured_of_a_network_and_raster_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = findings(tmp_path, networks.Twice())
    for name in (
        "report.arithmetic._counted",
        "report.report._measured_profile",
        "locality.measure.measure_locality",
        "memory.activation_memory._measured",
    ):
        monkeypatch.setattr(f"pipeline.inspect.{name}", None)
    again = inspect_network(subject(prepare_job(load_config(tmp_path / "job.yaml"))))
    assert again.as_dict() == first.as_dict()
    with pytest.raises(TypeError):
        inspect_network(subject(prepare_job(load_config(tmp_path / "job.yaml"))), seed=1)
