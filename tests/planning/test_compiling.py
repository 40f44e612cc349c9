"""Whether a network is compiled.

As it is asked for, with the same labels up to ties and the same bytes whatever tile comes first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.interfaces import Locality
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from pipeline.models.torch_compile import compiled, why_not_compilable
from pipeline.planning import compiling
from pipeline.planning.compiling import choose_compilation
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running import execute
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import networks, scenes
from tests.faults.harness import digest

CPU = torch.device("cpu")
LOCAL = Locality(verdict="local", stride=1, radius=None, bands=3, classes=4, minimum=8)
FACTORY = """
import torch
def make():
    torch.manual_seed(7)
    first, last = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 4, 3, padding=1)
    return torch.nn.Sequential(first, torch.nn.SiLU(), last, torch.nn.Tanh())
"""
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++: apt-get install g++")


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Nothing that another test compiled is used."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def of(network: nn.Module) -> Loaded:
    return Loaded(module=network.eval(), identity_fields={})


def made(folder: Path, name: str, compiles: bool, **sections: dict[str, Any]) -> Job:
    """Blocks of two shapes."""
    (folder / "network.py").write_text(FACTORY)
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", 128, 200)
    said: dict[str, Any] = {
        "model": {"kind": "python", "path": None, "factory": f"{folder / 'network.py'}:make"},
        "output": {"layers": ["mask", "probabilities"], "probabilities_dtype": "float16"},
        "execution": {"compile": compiles},
    }
    return prepare_job(load_config(scenes.config(folder, name, **{**said, **sections}), []))


def ran(job: Job) -> Job:
    with Progress() as progress:
        execute.execute(job, progress)
    return job


@pytest.mark.nightly("compile")
@needs_compiler
def test_a_compiled_job_says_the_same_up_to_ties_and_the_same_bytes_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, job = ran(made(tmp_path, "plain", False)), ran(made(tmp_path, "job", True))
    assert job.task.recipe.compile
    assert "; compiled" in dict(plan_rows(job))["network"]
    shares = [open_layer(each.path, 0, "probabilities")[:].astype("float32") for each in (plain, job)]
    assert not np.array_equal(*shares), "nothing was compiled"
    assert np.allclose(*shares, atol=2e-3, equal_nan=True)
    masks, top = [open_layer(each.path, 0, "mask")[:] for each in (plain, job)], np.sort(shares[0], 0)
    assert ((masks[0] == masks[1]) | (top[-1] - top[-2] < 2e-3)).all()
    with Progress() as progress:
        assert verify(job_of(job.path, []), progress.say, windows=3)["passed"]

    @contextmanager
    def backwards(*_: Any) -> Iterator[Callable[..., Any]]:
        yield lambda work, items: map(work, reversed(list(items)))

    torch._dynamo.reset()
    monkeypatch.setitem(execute.ENGINES, "serial", backwards)
    again = ran(made(tmp_path, "again", True))
    assert digest(again.path) == digest(job.path)


@pytest.mark.nightly("compile")
@needs_compiler
def test_a_store_is_gone_on_with_as_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(made(tmp_path, "job", True))
    monkeypatch.setattr(compiling, "_compiled_difference", lambda *_: pytest.fail("it was tried again"))
    assert made(tmp_path, "job", True).resumes
    with pytest.raises(StoreError, match=r"execution\.compile was True and is now False"):
        made(tmp_path, "job", False)
    ran(made(tmp_path, "plain", False))
    with pytest.raises(StoreError, match=r"execution\.compile was False and is now True"):
        made(tmp_path, "plain", True)


@pytest.mark.nightly("compile")
@needs_compiler
def test_an_exported_program_is_compiled_too(tmp_path: Path) -> None:
    dims = {axis: torch.export.Dim(name, min=8, max=512) for axis, name in ((2, "rows"), (3, "cols"))}
    path = networks.export(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU()).eval(), tmp_path / "net.pt2", (1, 3, 24, 20), dims
    )
    network = load_exported(ModelConfig(kind="exported", path=path), 3, CPU)
    assert choose_compilation(True, network, LOCAL, CPU, None)
    x = torch.randn(1, 3, 40, 56)
    assert torch.allclose(compiled(network)(x), network(x), atol=1e-5)


def test_what_says_something_else_once_compiled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = of(nn.Conv2d(3, 4, 1))
    monkeypatch.setattr(compiling, "compiled", lambda _: of(nn.Conv2d(3, 4, 1)))
    with pytest.raises(
        ConfigError,
        match=r"execution\.compile is true, but it is .* of the largest logit from what the network says as it is",
    ):
        choose_compilation(True, network, LOCAL, CPU, None)
    assert not choose_compilation(False, network, LOCAL, CPU, None)


def test_what_torch_cannot_compile_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Loaded) -> Loaded:
        raise RuntimeError("no such thing\nat all")

    monkeypatch.setattr(compiling, "compiled", fails)
    with pytest.raises(ConfigError, match=r"torch cannot compile this network here \(.*no such thing"):
        choose_compilation(True, of(nn.Conv2d(3, 4, 1)), LOCAL, CPU, None)


def test_torchscript_and_a_machine_without_a_compiler_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="TorchScript runs in an interpreter of its own"):
        choose_compilation(True, of(torch.jit.script(nn.Conv2d(3, 4, 1))), LOCAL, CPU, None)
    monkeypatch.setenv("CXX", "/nowhere/c++")
    assert "/nowhere/c++ is not installed" in str(why_not_compilable(of(nn.Conv2d(3, 4, 1)), CPU))
    assert why_not_compilable(of(nn.Conv2d(3, 4, 1)), torch.device("cuda:0")) is None
