"""Tiles of a plan that are larger than what a network was measured with are tried before it stands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import torch
from torch import nn

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.inference.normalise import Normalisation
from pipeline.interfaces import Locality
from pipeline.models.loaded import Loaded
from pipeline.planning.limits import with_size_limit
from pipeline.planning.planner import PlanInputs
from pipeline.running.execute import prepare_job
from pipeline.sources.only.area import SourceAreas
from tests import networks, scenes


class Upto(nn.Module):
    """A network that raises beyond a size, or a number of pixels."""

    def __init__(self, size: int, pixels: int = 10**9) -> None:
        super().__init__()
        self.body, self.size, self.pixels = networks.Twice(), size, pixels
        self.shapes: list[tuple[int, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shapes.append((x.shape[2], x.shape[3]))
        if max(x.shape[2:]) > self.size or x.shape[2] * x.shape[3] > self.pixels:
            raise ValueError("too large")
        answer: torch.Tensor = self.body(x)
        return answer


def opened(module: nn.Module, multiple: int = 1, **more: Any) -> PlanInputs:
    said = {
        "config": Config.model_construct(),
        "source": SimpleNamespace(bands=3),
        "areas": SourceAreas(),
        "network": Loaded(module=module.eval(), identity_fields={"sha256": uuid4().hex}),
        "locality": Locality(verdict="local", stride=multiple, radius=None, bands=3, classes=4, minimum=1),
        "device": torch.device("cpu"),
        "normalisation": normalisation(3),
        "stored": None,
        "resumes": False,
        "precision": "float32",
        **more,
    }
    return PlanInputs(**said)


def normalisation(channels: int) -> Normalisation:
    return Normalisation(
        scale=(1.0,) * channels, offset=(0.0,) * channels, mean=(0.0,) * channels, std=(1.0,) * channels
    )


def plan(size: int, halo: int | None = 2) -> Any:
    return SimpleNamespace(tiles=SimpleNamespace(size=size, halo=halo))


@pytest.mark.parametrize(("size", "multiple", "expected"), [(1500, 1, 1500), (1500, 32, 1472), (1999, 16, 1984)])
def test_long_tiles_are_tried_as_strips_and_the_largest_that_runs_is_the_limit(
    size: int, multiple: int, expected: int
) -> None:
    module = Upto(size)
    smaller = with_size_limit(opened(module, multiple), plan(2048))
    assert smaller is not None
    assert smaller.network.accepts.maximum == smaller.locality.maximum == expected
    assert f"fails on images of 2048 px, and takes those of {expected} px" in smaller.locality.remarks[0]
    assert all(min(shape) == 32 for shape in module.shapes)
    assert with_size_limit(smaller, plan(expected)) is None


def test_blended_tiles_are_tried_as_they_are() -> None:
    smaller = with_size_limit(opened(Upto(10_000, pixels=448 * 448), 16), plan(512, halo=None))
    assert smaller is not None
    assert smaller.locality.maximum == 448


@pytest.mark.parametrize(
    ("size", "halo", "more"),
    [(1024, 2, {}), (384, None, {}), (2048, 2, {"stored": {"tiles": {}}})],
    ids=["measured", "measured square", "stored"],
)
def test_what_was_measured_or_run_before_is_not_tried_again(size: int, halo: int | None, more: dict[str, Any]) -> None:
    module = Upto(1)
    assert with_size_limit(opened(module, **more), plan(size, halo)) is None
    assert module.shapes == []


def test_the_network_is_tried_on_the_channels_that_a_transform_makes_of_the_bands() -> None:
    assert with_size_limit(opened(Upto(2048), source=SimpleNamespace(bands=5)), plan(2048)) is None


@pytest.mark.slow
def test_a_tile_beyond_the_limit_is_refused_and_auto_keeps_within_it(tmp_path: Path) -> None:
    class Script(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = networks.Twice()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.shape[2] > 1400 or x.shape[3] > 1400:
                raise ValueError("too large")
            return self.body(x)

    torch.jit.script(Script().eval()).save(str(tmp_path / "a.pt"))
    scenes.write(tmp_path / "scene.tif", scenes.position(40, 1700))
    model = {"path": str(tmp_path / "a.pt")}
    with pytest.raises(ConfigError, match=r"tile.size is 1600, but the network takes at most 1400 px"):
        prepare_job(load_config(scenes.config(tmp_path, model=model, tile={"size": 1600})))
    assert prepare_job(load_config(scenes.config(tmp_path, model=model))).plan.tiles.size <= 1400


def test_a_size_that_the_same_network_ran_on_or_refused_before_is_not_tried_again() -> None:
    name = {"sha256": uuid4().hex}
    for size, expected in ((2048, None), (1500, 1500)):
        limits = []
        for module in (first := Upto(size), second := Upto(size)):
            network = Loaded(module=module.eval(), identity_fields={**name, "size": size})
            smaller = with_size_limit(opened(module, network=network), plan(2048))
            limits.append(smaller and smaller.locality.maximum)
        assert limits == [expected, expected]
        assert first.shapes
        assert not second.shapes


def test_a_trial_for_which_there_was_no_memory_limits_nothing_and_is_made_again() -> None:
    module = Upto(2048)
    network = Loaded(module=module.eval(), identity_fields={"sha256": uuid4().hex})
    module.forward = lambda x: raise_out_of_memory()  # type: ignore[method-assign]
    assert with_size_limit(opened(module, network=network), plan(2048)) is None
    refusing = Loaded(module=Upto(1500).eval(), identity_fields=network.identity_fields)
    smaller = with_size_limit(opened(module, network=refusing), plan(2048))
    assert smaller is not None
    assert smaller.locality.maximum == 1500


def raise_out_of_memory() -> torch.Tensor:
    raise torch.OutOfMemoryError("no memory is left")
