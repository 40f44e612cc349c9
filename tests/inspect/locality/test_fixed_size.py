"""Networks of one input size.

Found by trying, seen by a few passes, run as halo tiles where their radius leaves a core.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.inspect.locality.measure import measure_locality
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.report.report import inspect_network
from pipeline.inspect.report.text import advice
from pipeline.inspect.sizes.accepted import first
from pipeline.interfaces import Locality, Radius
from pipeline.models import load as load_network
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime import arrays
from pipeline.models.onnx_runtime.network import OnnxNetwork
from pipeline.planning.subject import subject
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from tests import networks, scenes
from tests.models.onnx_files import to_onnx
from tests.quality.verify import made
from tests.runs import go

CPU = torch.device("cpu")


class OneSize(nn.Module):
    """A network that adds a table of its own size, which is all it takes.

    With a weight of 0 the table changes nothing.
    """

    def __init__(self, size: int, weight: float = 0.0, body: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.weight, self.body = (
            nn.Parameter(torch.randn(1, 1, size, size)),
            weight,
            body or networks.Dilated(),
        )
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return self.body(x + self.weight * self.table)


def seen(module: nn.Module, trained: int | None = None) -> Locality:
    return measure_locality(Loaded(module=module.eval(), identity_fields={}), 3, trained)


@pytest.mark.parametrize(("size", "trained"), [(64, None), (96, None), (56, 56), (100, None)])
def test_the_one_size_is_found_by_trying_the_training_size_and_the_usual_ones(size: int, trained: int | None) -> None:
    found = seen(OneSize(size), trained)
    assert (found.size, found.minimum, found.verdict, found.stride) == (size, size, "unproven", 1)
    assert found.radius == Radius(top=6, bottom=6, left=6, right=6)


@pytest.mark.parametrize("make", [networks.Twice, networks.UNet, lambda: networks.Coarse(48)])
def test_a_network_that_takes_several_sizes_is_not_taken_for_one(make: type[nn.Module]) -> None:
    taken = first(Prober(network=Loaded(module=make().eval(), identity_fields={}), bands=3, device=CPU), 96)
    assert taken is not None
    assert taken[1] > 0


def test_a_table_of_positions_leaves_no_radius_so_that_tiles_are_blended() -> None:
    found = seen(OneSize(64, weight=1.0))
    assert (found.size, found.radius) == (64, None)


@pytest.mark.parametrize(("depth", "radius"), [(2, 19), (4, None)])
def test_the_radius_counts_where_it_leaves_a_core(depth: int, radius: int | None) -> None:
    found = seen(OneSize(64, body=networks.lively(networks.Depth(depth))))
    assert (found.radius and found.radius.largest) == radius
    assert found.stride == (2**depth if radius else 1)


def test_few_passes_are_enough() -> None:
    module = OneSize(128, body=networks.lively(networks.UNet()))
    seen(module, 128)
    assert module.passes <= 40


def test_an_onnx_network_of_many_nodes_is_opened_once_and_run_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_session, real_run, opened, runs = arrays.open_session, OnnxNetwork._run, list[int](), list[int]()
    monkeypatch.setattr(
        arrays, "open_session", lambda *given, **more: (opened.append(1), real_session(*given, **more))[1]
    )
    monkeypatch.setattr(OnnxNetwork, "_run", lambda *given: (runs.append(1), real_run(*given))[1])
    body = nn.Sequential(networks.Dilated(), *(nn.Tanh() for _ in range(60)))
    network = load_network(
        ModelConfig(kind="onnx", path=to_onnx(body, tmp_path / "a.onnx", (1, 3, 64, 64), fixed=True)), 3, CPU
    )
    found = measure_locality(network, 3)
    assert (found.size, found.radius and found.radius.largest) == (64, 6)
    assert len(opened) == 1
    assert len(runs) <= 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fixed")


def job(folder: Path, name: str, module: nn.Module, **sections: dict[str, object]) -> Path:
    path = folder / f"{name}.pt"
    torch.jit.trace(module.eval(), torch.zeros(1, 3, 64, 64)).save(str(path))
    return scenes.config(
        folder, name, **{"model": {"path": str(path), "input": {"mean": 500, "std": 200, "size": 64}}, **sections}
    )


@pytest.mark.slow
def test_halo_tiles_of_the_one_size_equal_the_whole_and_the_store_verifies(folder: Path) -> None:
    body = networks.Dilated().eval()
    go(job(folder, "whole", OneSize(64, body=body)))
    raw = torch.from_numpy(scenes.read(folder / "scene.tif"))
    valid = (raw != 0).any(0)
    with torch.inference_mode():
        logits = body(((raw - 500) / 200 * valid)[None])[0]
    best = logits.topk(2, 0)
    mask = torch.from_numpy(made.zarr.open(folder / "whole.zarr", mode="r")["0/mask"][:].astype("int64"))
    assert not ((mask != best.indices[0]) & valid & (best.values[0] - best.values[1] > 1e-4)).any()
    said = verify(job_of(folder / "whole.zarr", []), lambda line: None, windows=4)
    assert (said["passed"], said["promise"]["kind"]) == (True, "exact")
    assert said["reference"]["halo"] >= 6


@pytest.mark.slow
def test_where_no_reference_is_wider_than_the_run_nothing_is_judged_and_there_is_no_certificate(folder: Path) -> None:
    path = job(folder, "blended", OneSize(64, weight=1.0), output={"certificate": True})
    assert go(path).certificate is None
    said = verify(job_of(folder / "blended.zarr", []), lambda line: None, windows=4)
    assert said["passed"] is None
    assert "cannot judge" in said["why"]
    assert "certificate" not in made.meta(folder / "blended.zarr")


@pytest.mark.slow
def test_labels_that_are_not_the_networks_are_found_where_seams_cannot_be_judged(folder: Path) -> None:
    go(job(folder, "spoilt", OneSize(64, weight=1.0)))
    made.spoil(folder / "spoilt.zarr", (0, 0), lambda values: values * 0 + 3)
    assert verify(job_of(folder / "spoilt.zarr", []), lambda line: None, windows=16)["passed"] is False


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "words"), [(0.0, "tile.halo: exact (6 px)"), (1.0, "no halo is known")])
def test_inspect_advises_no_halo_that_it_could_not_measure(folder: Path, weight: float, words: str) -> None:
    found = inspect_network(
        subject(prepare_job(load_config(job(folder, f"looked{weight}", OneSize(64, weight=weight)))))
    )
    assert found.profile is None
    assert words in advice(found)
    assert found.as_dict()["halo_profile"] is None
