"""Whether a network is folded: once for a store, and only where both say the same."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError, StoreError
from pipeline.inference import opened_networks
from pipeline.inspect.report.report import inspect_network
from pipeline.interfaces import Locality
from pipeline.models.bn_folding import Folded, eager
from pipeline.models.loaded import Loaded
from pipeline.planning import folding
from pipeline.planning.describe import describe
from pipeline.planning.folding import FOLD_ROUNDING_TOLERANCE, TIE_TOLERANCE, allowed_fold_error, choose_folding
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.planning.subject import subject
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from tests import networks, scenes
from tests.models.bn_folding.pairs import settled

CPU = torch.device("cpu")
LOCAL = Locality(verdict="local", stride=4, radius=None, bands=3, classes=4, minimum=8)


NUMBERS = count()
"""So that no network is taken for one before it."""


@pytest.fixture(autouse=True)
def _nothing_was_compared_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))


def of(network: nn.Module) -> Loaded:
    return Loaded(module=network.eval(), identity_fields={"sha256": str(next(NUMBERS))})


def test_a_network_that_says_the_same_is_folded() -> None:
    network = of(networks.lively(networks.UNet()))
    found = choose_folding(network, LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, None)
    assert found.done
    assert found.description == "batch norm folded into 3 convolutions"
    assert found.network.module is not network.module


def test_a_wrong_pair_is_seen_and_the_network_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    network = of(networks.lively(networks.UNet()))
    monkeypatch.setattr(eager, "_pairs", lambda *_: [("enc1.0", "enc2.1")])
    found = choose_folding(network, LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, None)
    assert not found.done
    assert found.network is network
    assert "of the largest logit from what the network says as it is" in found.description


@pytest.mark.parametrize("strange", [float("nan"), float("inf"), float("-inf")])
def test_a_single_strange_value_elsewhere_is_seen(strange: float, monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.clone()
            y[0, 0, 3, 5] = strange
            return y

    monkeypatch.setattr(folding, "fold", lambda network: Folded(network=of(Strange()), done=True, description="done"))
    assert (
        "NaN or infinity elsewhere"
        in choose_folding(of(nn.Identity()), LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, None).description
    )
    assert choose_folding(of(Strange()), LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, None).done


def test_what_fails_once_folded_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        folding, "fold", lambda network: Folded(network=of(nn.Conv2d(1, 1, 1)), done=True, description="done")
    )
    assert (
        "could not be compared"
        in choose_folding(of(nn.Conv2d(3, 4, 1)), LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, None).description
    )


def test_what_a_store_was_made_with_holds_whatever_is_asked_for() -> None:
    network = of(networks.lively(networks.UNet()))
    assert choose_folding(network, LOCAL, CPU, None, True).done
    assert not choose_folding(network, LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, False).done
    assert not choose_folding(network, LOCAL, CPU, None, None).done
    with pytest.raises(
        ModelError, match=r"made by a folded network, but here batch norm is not folded: there is none.*--fresh"
    ):
        choose_folding(of(nn.Sequential(nn.Conv2d(3, 4, 1))), LOCAL, CPU, FOLD_ROUNDING_TOLERANCE, True)


def run(job: Job) -> Any:
    with Progress() as progress:
        return execute(job, progress)


def made(folder: Path, name: str, *overrides: str, **sections: dict[str, Any]) -> Job:
    return prepare_job(
        load_config(
            scenes.config(folder, name, **{"output": {"layers": ["mask", "confidence"]}, **sections}), list(overrides)
        )
    )


@pytest.mark.slow
def test_a_job_runs_folded_says_so_and_measures_the_network_as_loaded(tmp_path: Path) -> None:
    job = made(tmp_path, "job")
    assert job.task.recipe.fold
    assert describe(job)["network"]["fold"] == "TorchScript frozen, batch norm folded into 3 convolutions" == job.fold
    assert job.fold in dict(plan_rows(job))["network"]
    assert job.loaded.module is not job.network.module
    assert inspect_network(subject(job)).parameters == sum(value.numel() for value in networks.UNet().parameters())
    run(job)
    assert (
        np.asarray(zarr.open_array(tmp_path / "job.zarr" / "0" / "mask", mode="r")[:]) == scenes.whole(tmp_path)
    ).all()
    with Progress() as progress:
        assert verify(job_of(tmp_path / "job.zarr", []), progress.say, windows=6)["passed"]


def forgotten(store: Path) -> None:
    """A store as releases made it that did not fold."""
    root = store / "zarr.json"
    said = json.loads(root.read_text())
    kept = said["attributes"]["wholecloth"]
    del kept["recipe"]["fold"], kept["fingerprint"]["execution.fold"]
    root.write_text(json.dumps(said))


@pytest.mark.slow
def test_a_store_that_was_made_before_there_was_folding_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made(tmp_path, "job", "execution.fold=false")
    assert not job.task.recipe.fold
    run(job)
    forgotten(tmp_path / "job.zarr")
    again = made(tmp_path, "job")
    assert not again.task.recipe.fold
    assert again.network.module is again.loaded.module
    assert again.fold == "batch norm is not folded: the store was made without"
    assert run(again).resumed == again.blocks
    assert made(tmp_path, "job", "execution.fold=false").resumes


@pytest.mark.slow
def test_a_store_that_was_made_folded_is_not_gone_on_with_unfolded(tmp_path: Path) -> None:
    run(made(tmp_path, "job"))
    with pytest.raises(StoreError, match=r"execution\.fold was True and is now False"):
        made(tmp_path, "job", "execution.fold=false")
    assert made(tmp_path, "job").task.recipe.fold


@pytest.mark.slow
@pytest.mark.parametrize("fold", ["auto", "false"])
def test_a_worker_that_loads_the_network_itself_does_as_the_recipe_says(tmp_path: Path, fold: str) -> None:
    """Float16 probabilities show the last bits of what was run."""
    job = made(tmp_path, "job", f"execution.fold={fold}")
    here = opened_networks.inference(job.task)._forward.network
    x = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.jit.optimized_execution(False):
        assert torch.equal(here(x), job.network(x))
        assert torch.equal(here(x), job.loaded(x)) == (fold == "false")


def test_only_auto_and_false_are_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fold"):
        made(tmp_path, "job", "execution.fold=always")


@pytest.mark.parametrize(
    ("asked", "precision", "expected"),
    [
        ("auto", "auto", TIE_TOLERANCE),
        ("auto", "float32", TIE_TOLERANCE),
        ("auto", "bfloat16", FOLD_ROUNDING_TOLERANCE),
        (True, "float32", FOLD_ROUNDING_TOLERANCE),
        (False, "bfloat16", None),
    ],
)
def test_how_far_apart_they_may_be_depends_on_what_is_asked(asked: Any, precision: str, expected: float | None) -> None:
    assert allowed_fold_error(asked, precision) == expected


def test_a_network_that_folding_moves_beyond_a_tie_is_folded_only_where_that_is_asked() -> None:
    network = of(settled(networks.UNet()))
    at = next(
        limit for limit in (10.0**-k for k in range(12, 3, -1)) if choose_folding(network, LOCAL, CPU, limit, None).done
    )
    assert 1e-9 < at <= FOLD_ROUNDING_TOLERANCE
    refused = choose_folding(network, LOCAL, CPU, at / 1000, None)
    assert not refused.done
    assert "of the largest logit" in refused.description
