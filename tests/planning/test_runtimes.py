"""What runs a job's network: what is asked for where it says the same, what facts speak for, and what a store was made
with. A runtime that is made up stands in for OpenVINO, which not every machine has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError, StoreError
from pipeline.inference import opened_networks
from pipeline.interfaces import Locality, Radius
from pipeline.models import runtimes
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import openvino
from pipeline.models.runtimes.runtime import Facts, Runtime, RuntimeMemory
from pipeline.planning.describe import describe
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.planning.runtimes import choice, table, timings, trial
from pipeline.planning.runtimes.choice import choose_runtime
from pipeline.planning.runtimes.request import ChosenRuntime, RuntimeRequest
from pipeline.planning.runtimes.table import MEASURED, MeasuredNetwork, MeasuredRuntime
from pipeline.running import blocks, execute
from pipeline.runtime.memory_constants import CONVERSION_BYTES
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import scenes

CPU = torch.device("cpu")
LOCAL = Locality(
    verdict="local", stride=1, radius=Radius(top=1, bottom=1, left=1, right=1), bands=3, classes=4, minimum=8
)
MIB = 2**20
LIBRARIES = 300 * MIB
GAINED = frozenset({"Convolution", "Relu"})
LOST = frozenset({"Convolution", "Relu", "Sort"})


def request() -> RuntimeRequest:
    """Of a job on a raster that is large enough."""
    return RuntimeRequest(
        requested="auto",
        setting="execution.runtime is auto",
        precision="float32",
        network=Loaded(module=nn.Conv2d(3, 4, 3, padding=1).eval(), identity_fields={}),
        folded=False,
        locality=LOCAL,
        device=CPU,
        source=SimpleNamespace(grid=SimpleNamespace(height=2**13, width=2**13)),  # type: ignore[arg-type]
        normalisation=SimpleNamespace(),  # type: ignore[arg-type]
        limited=False,
        stored={},
    )


class Shifted(nn.Module):
    """A network whose logits are a little larger, by a share of them."""

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.network(x)
        return answer * (1 + self.share)


class MadeUp:
    """A runtime in the place of OpenVINO, with facts that a test may change."""

    def __init__(self) -> None:
        self.share, self.release, self.operators, self.constants = 0.0, "2030.1", GAINED, False
        self.obstacle: str | None = None
        self.shapes: list[tuple[int, ...]] = []

    def run(self, network: Loaded, shape: Any) -> Loaded:
        self.shapes.append(tuple(shape))
        return replace(network, module=Shifted(network.module, self.share))

    def row(self) -> Runtime:
        return Runtime(
            obstacle=lambda *_: self.obstacle,
            run=self.run,
            noun="OpenVINO",
            single=True,
            release=lambda: self.release,
            facts=lambda _: Facts(operators=self.operators, fixed_numbers=self.constants),
            memory=lambda *_: RuntimeMemory(libraries=LIBRARIES, bytes_per_pixel=100.0),
        )


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """The runtime, and measurements by which `auto` takes it for rasters of any size; nothing is kept of it."""
    monkeypatch.setattr(trial, "recorded", lambda name, key, measure, *_: measure())
    runtime = MadeUp()
    monkeypatch.setitem(runtimes.KINDS, "openvino", runtime.row())
    rows = (("quick", 0.5, GAINED), ("slow", 1.1, LOST))
    measured = MeasuredRuntime(
        device="cpu",
        instructions=torch.backends.cpu.get_cpu_capability(),
        release="2030.1",
        torch=torch.__version__.rpartition(".")[0],
        networks=tuple(MeasuredNetwork(network=n, side=64, cpu=c, error=0, operators=o) for n, c, o in rows),
    )
    monkeypatch.setitem(MEASURED, "openvino", (measured,))
    monkeypatch.setattr(choice, "MINIMUM_PIXELS", 1)
    return runtime


def prepared(folder: Path, name: str = "job", runtime: str = "auto", **sections: Any) -> Job:
    execution = {"runtime": runtime, **sections.pop("execution", {})}
    return prepare_job(load_config(scenes.config(folder, name, execution=execution, **sections), []))


def ran(job: Job) -> None:
    with Progress() as progress:
        execute.execute(job, progress)


def runtime_row(job: Job) -> str:
    return dict(plan_rows(job))["runtime"]


def test_what_is_asked_for_runs_the_network_and_is_in_the_plan_and_the_store(tmp_path: Path, made_up: MadeUp) -> None:
    job = prepared(tmp_path, runtime="openvino")
    assert runtime_row(job) == "openvino 2030.1: asked for"
    assert (describe(job)["runtime"], describe(job)["network"]["runtime"]) == ("openvino", "openvino 2030.1")
    torch_job = prepared(tmp_path, "torch", runtime="torch")
    costs, native = job.plan.costs, torch_job.plan.costs
    assert costs.libraries - native.libraries > LIBRARIES + CONVERSION_BYTES - 64 * MIB
    assert costs.activations == pytest.approx(100 * 1.3 / 2.2)
    made_up.shapes.clear()
    ran(job)
    assert made_up.shapes == [job.task.runtime_shape] == [(1, 3, 128, 128)]
    recipe = job.meta()["recipe"]
    assert (recipe["runtime"], recipe["runtime_release"], recipe["compile"]) == ("openvino", "2030.1", False)
    assert np.array_equal(open_layer(job.path, 0, "mask")[:], scenes.whole(tmp_path))


def test_a_store_goes_on_with_what_it_was_made_with_and_says_why_it_cannot(tmp_path: Path, made_up: MadeUp) -> None:
    ran(prepared(tmp_path, runtime="openvino"))
    made_up.share = 0.5  # it is not tried again
    again = prepared(tmp_path)
    assert (again.resumes, runtime_row(again)) == (True, "openvino 2030.1: the store was made with it")
    with pytest.raises(StoreError, match=r"execution\.runtime was openvino and is now torch"):
        prepared(tmp_path, runtime="torch")
    made_up.release = "2031.2"
    message = r"made with execution.runtime openvino 2030\.1.* openvino 2031\.2 is installed.*==2030\.1\.\*.*--fresh"
    with pytest.raises(ModelError, match=message):
        prepared(tmp_path)
    with pytest.raises(ModelError, match=r"openvino 2031\.2 is installed here"):
        opened_networks._inference(again.loaded, again.task, CPU)
    made_up.obstacle = "it is not installed"
    with pytest.raises(ModelError, match=r"execution\.runtime openvino 2030\.1.* but it is not installed.*--fresh"):
        prepared(tmp_path)


def test_a_store_of_torch_is_not_gone_on_with_by_another_runtime(tmp_path: Path, made_up: MadeUp) -> None:
    ran(prepared(tmp_path, runtime="torch"))
    assert runtime_row(prepared(tmp_path)) == "torch: the store was made with it"
    with pytest.raises(StoreError, match=r"execution\.runtime was torch and is now openvino"):
        prepared(tmp_path, runtime="openvino")


def test_a_frozen_plan_keeps_the_runtime(tmp_path: Path, made_up: MadeUp) -> None:
    frozen = freeze(prepared(tmp_path), tmp_path / "job.yaml", tmp_path / "frozen.yaml")
    assert 'runtime: "openvino"' in frozen.read_text()
    made_up.constants = True  # auto would decide otherwise
    assert prepare_job(load_config(frozen, [])).task.recipe.runtime == "openvino"
    made_up.release = "2031.2"
    with pytest.raises(ModelError, match=r"2031\.2 is installed here"):
        prepare_job(load_config(frozen, []))


def test_facts_speak_for_a_runtime_and_nothing_is_timed(
    tmp_path: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings, "_seconds", lambda *_: pytest.fail("timed"))
    assert runtime_row(prepared(tmp_path)) == "openvino 2030.1: measured networks of its operators gained by it"
    assert prepared(tmp_path, "serial", execution={"fold": False}).task.recipe.runtime == "openvino"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"obstacle": "it is not installed"}, "it is not installed"),
        ({"release": "2029.4"}, "nothing was measured of release 2029.4"),
        ({"operators": GAINED | {"Gather"}}, "no network with Gather was measured to gain"),
        ({"constants": True}, "its code takes numbers of the image for constants"),
        ({"share": 1e-4}, "of the largest logit from what the network says as it is"),
        ({"share": float("nan")}, "NaN or infinity elsewhere"),
    ],
    ids=["absent", "release", "operators", "constants", "different", "nan"],
)
def test_auto_passes_over_what_a_fact_speaks_against_and_names_it(
    tmp_path: Path, made_up: MadeUp, change: dict[str, Any], reason: str
) -> None:
    for name, value in change.items():
        setattr(made_up, name, value)
    job = prepared(tmp_path)
    assert job.task.recipe.runtime == "torch"
    assert runtime_row(job).startswith("torch: openvino is passed over: ")
    assert reason in runtime_row(job)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"precision": "bfloat16"}, "OpenVINO computes in float32, and execution.precision is bfloat16"),
        ({"limited": True}, "tiles of an area have many shapes"),
        ({"locality": replace(LOCAL, verdict="not local")}, "local networks of a radius above 0"),
        ({"locality": replace(LOCAL, radius=None)}, "local networks of a radius above 0"),
        ({"source": SimpleNamespace(grid=SimpleNamespace(height=2**13, width=2**13 - 1))}, "67,108,864 px and more"),
    ],
    ids=["precision", "area", "not local", "no radius", "small"],
)
def test_auto_takes_no_runtime_where_it_would_lose(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], reason: str
) -> None:
    monkeypatch.setattr(choice, "MINIMUM_PIXELS", table.MINIMUM_PIXELS)
    chosen = choose_runtime(replace(request(), **change))
    assert chosen.name == "torch"
    assert reason in chosen.why


def test_what_is_not_installed_is_not_mentioned_unless_it_is_asked_for(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.release = ""
    chosen = choose_runtime(request())
    assert (chosen.name, chosen.why) == ("torch", "")
    monkeypatch.setattr("pipeline.models.runtimes.runtime.installed_release", lambda package: "")
    monkeypatch.setitem(runtimes.KINDS, "openvino", openvino.OPENVINO_RUNTIME)
    with pytest.raises(ConfigError, match=r"OpenVINO is not installed; .*pip install 'wholecloth\[openvino\]'"):
        choose_runtime(replace(request(), requested="openvino"))


def test_a_network_that_did_not_gain_speaks_against_those_with_its_operators(made_up: MadeUp) -> None:
    (measured,) = MEASURED["openvino"]
    assert measured.objection(GAINED) is None
    also = replace(measured.networks[0], operators=LOST | {"Softmax"})
    wide = replace(measured, networks=(*measured.networks, also))
    assert "slow" in str(wide.objection(LOST))
    assert wide.objection(GAINED) is None


def test_what_is_asked_for_and_says_something_else_is_refused(tmp_path: Path, made_up: MadeUp) -> None:
    made_up.share = 1e-3
    with pytest.raises(ConfigError, match=r"execution\.runtime is openvino, but it is .* of the largest logit"):
        prepared(tmp_path, runtime="openvino")
    made_up.share = 5e-6  # within roundings of deep networks, where it is asked for by name
    assert prepared(tmp_path, "near", runtime="openvino").task.recipe.runtime == "openvino"
    assert prepared(tmp_path, "auto").task.recipe.runtime == "torch"


def test_pixels_of_the_raster_decide_too(tmp_path: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bright(nn.Module):
        """Another network for images as the raster has them: without values below -2.3."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.network(x)
            noise = bool(x.min() < -2.6) or not x.any()
            return answer if noise else answer + 1

    row = replace(runtimes.KINDS["openvino"], run=lambda network, _: replace(network, module=Bright(network.module)))
    monkeypatch.setitem(runtimes.KINDS, "openvino", row)
    with pytest.raises(ConfigError, match="of the largest logit"):
        prepared(tmp_path, runtime="openvino")


@pytest.mark.parametrize(
    ("execution", "paragraph"),
    [
        ({"runtime": "torch", "compile": True}, "runtime is torch, but compile is true"),
        ({"runtime": "openvino", "compile": True}, "runtime is openvino, but compile is true"),
        ({"runtime": "compile", "compile": False}, "runtime is compile, but compile is false"),
        ({"runtime": "ncnn"}, "execution.runtime"),
    ],
)
def test_a_config_that_contradicts_itself_is_one_paragraph(
    tmp_path: Path, execution: dict[str, Any], paragraph: str
) -> None:
    with pytest.raises(ConfigError, match=paragraph):
        load_config(scenes.config(tmp_path, execution=execution), [])


def test_compile_is_a_runtime_by_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(choice, "choose_compilation", lambda *given: bool(asked.append(given[-1])) or True)
    for execution in ({"compile": True}, {"runtime": "compile"}, {"runtime": "compile", "compile": True}):
        config = load_config(scenes.config(tmp_path, execution=execution), [])
        recipe = prepare_job(config).task.recipe
        assert (recipe.runtime, recipe.compile) == ("compile", True)
    assert asked == ["execution.compile is true", "execution.runtime is compile", "execution.compile is true"]


def of_store(**recipe: Any) -> ChosenRuntime:
    return choose_runtime(replace(request(), stored={"precision": "float32", **recipe}))


def test_stores_of_before_were_made_by_the_network_as_it_was_loaded_or_compiled() -> None:
    assert of_store().name == "torch"
    assert of_store(runtime="torch", runtime_release="").name == "torch"
    assert of_store(compile=True, runtime="torch").name == "compile"
    assert of_store(runtime="onnxruntime").name == "torch"  # the fingerprint tells that the network is another one


def test_a_network_of_torch_is_none_of_onnxruntime(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"execution\.runtime is onnxruntime, but .*torch\.onnx\.export.*kind: onnx"):
        prepared(tmp_path, runtime="onnxruntime")


def test_timings_are_printed_and_change_nothing(tmp_path: Path, made_up: MadeUp) -> None:
    job = prepared(tmp_path, runtime="torch")
    rows = [sentence for _, sentence in timings.runtime_rows(job)]
    assert [row.split(":")[0] for row in rows if "CPU seconds" in row] == ["torch", "openvino"]
    assert any(row.startswith("compile: TorchScript runs in an interpreter") for row in rows)
    assert prepared(tmp_path, runtime="torch").task.recipe == job.task.recipe


def test_several_networks_are_not_run_by_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.models.runtimes.runtime.installed_release", lambda package: "2030.1")
    several = object.__new__(Ensemble)
    assert "several networks" in str(openvino.OPENVINO_RUNTIME.obstacle(several, CPU))
    assert "CPUs alone" in str(openvino.OPENVINO_RUNTIME.obstacle(several, torch.device("cuda:0")))


def test_memory_is_laid_out_beforehand_for_torch_alone(
    tmp_path: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(blocks, "prefault_memory", sizes.append)
    blocks.prefault_tile_memory(prepared(tmp_path, runtime="openvino"))
    assert not sizes
    blocks.prefault_tile_memory(prepared(tmp_path, "torch", runtime="torch"))
    assert len(sizes) == 1
