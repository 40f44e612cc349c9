"""Networks go to TensorRT shape by shape, and come back from the cache. A module that is made up stands in for
Torch-TensorRT, which needs a GPU."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError
from pipeline.models import torchscript
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS, runtime
from pipeline.models.tensorrt import engine
from pipeline.models.tensorrt.network import MAX_ENGINES, TensorRtNetwork
from pipeline.planning.prepare import prepare_job
from tests import networks, scenes

TENSORRT = KINDS["tensorrt"]
GPU = torch.device("cuda:0")
SHAPE = (1, 3, 64, 64)
IMAGE = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


class MadeUp:
    """Engines are networks of torch that were traced."""

    def __init__(self) -> None:
        self.builds: list[tuple[str, tuple[int, ...], bool]] = []
        self.error: Exception | None = None

    def compile(self, module: Any, ir: str, inputs: list[torch.Tensor], disable_tf32: bool) -> Any:
        if self.error is not None:
            raise self.error
        self.builds.append((ir, tuple(inputs[0].shape), disable_tf32))
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the end of TorchScript
            return torch.jit.trace(module, inputs[0], check_trace=False)

    def save(self, module: Any, path: str, output_format: str, inputs: list[torch.Tensor]) -> None:
        assert output_format == "torchscript"
        module.save(path)

    def load(self, path: str) -> Any:
        return torch.jit.load(path)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MadeUp:
    made_up = MadeUp()
    monkeypatch.setitem(
        sys.modules,
        "torch_tensorrt",
        SimpleNamespace(compile=made_up.compile, save=made_up.save, load=made_up.load),  # type: ignore[arg-type]
    )
    monkeypatch.setattr(engine, "version", lambda name: "2.12.1")
    monkeypatch.setattr(runtime, "installed_release", lambda name: "2.12")
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    return made_up


def code() -> Loaded:
    return Loaded(module=networks.lively(networks.UNet()), identity_fields={"kind": "python"})


def script(folder: Path) -> Loaded:
    path = folder / "network.ts"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(networks.lively(networks.UNet()), torch.zeros(SHAPE)).save(str(path))
    return torchscript.load(ModelConfig(kind="torchscript", path=path), 3, torch.device("cpu"))


def test_each_shape_has_an_engine_without_tf32_and_the_oldest_goes(library: MadeUp) -> None:
    network = code()
    running = TENSORRT.run(network, SHAPE)
    torch.testing.assert_close(running(IMAGE), network(IMAGE))
    assert library.builds == [("dynamo", SHAPE, True)]
    for side in range(72, 72 + 8 * MAX_ENGINES, 8):
        running(torch.zeros(1, 3, 64, side))
    assert isinstance(running.module, TensorRtNetwork)
    assert len(running.module._engines) == MAX_ENGINES
    running(IMAGE)
    assert library.builds.count(("dynamo", SHAPE, True)) == 2


def test_an_engine_of_a_whole_file_is_built_once_and_read_by_the_next_process(library: MadeUp, tmp_path: Path) -> None:
    network = script(tmp_path)
    first = TENSORRT.run(network, SHAPE)(IMAGE)
    torch.testing.assert_close(first, network(IMAGE))
    assert torch.equal(TENSORRT.run(script(tmp_path), SHAPE)(IMAGE), first)
    assert library.builds == [("ts", SHAPE, True)]
    (kept,) = (tmp_path / "cache" / "tensorrt").glob(f"*/{engine.ENGINE}")
    kept.write_bytes(b"of somebody else")
    assert torch.equal(TENSORRT.run(script(tmp_path), SHAPE)(IMAGE), first)
    assert len(library.builds) == 2


def test_an_engine_that_cannot_be_read_here_is_built_anew(
    library: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TENSORRT.run(script(tmp_path), SHAPE)

    def refuses(path: str) -> None:
        raise RuntimeError("the engine plan file is not compatible with this version of TensorRT")

    monkeypatch.setattr(sys.modules["torch_tensorrt"], "load", refuses)
    torch.testing.assert_close(TENSORRT.run(script(tmp_path), SHAPE)(IMAGE), script(tmp_path)(IMAGE))
    assert len(library.builds) == 2


def test_what_tensorrt_cannot_take_is_refused_in_its_words(library: MadeUp) -> None:
    library.error = RuntimeError("no converter for grid_sample\n and more")
    with pytest.raises(ModelError, match=r"TensorRT cannot take this network \(.*no converter for grid_sample"):
        TENSORRT.run(code(), SHAPE)


def test_shorter_floats_are_refused(library: MadeUp) -> None:
    running = TENSORRT.run(code(), SHAPE)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ModelError, match="computes in float32 alone"):
        running(IMAGE)


def test_frozen_torchscript_has_its_weights_in_its_graph(library: MadeUp) -> None:
    frozen = torch.jit.freeze(torch.jit.script(code().module.eval()))
    assert not [*frozen.parameters()]
    assert TensorRtNetwork(replace(code(), module=frozen)).device == torch.device("cpu")


def test_its_memory_is_measured(library: MadeUp) -> None:
    assert TENSORRT.memory is not None
    memory = TENSORRT.memory(TENSORRT.run(code(), SHAPE), (1, 3, 128, 128), (1, 3, 64, 72), 1)
    assert memory.bytes_per_pixel > 4 * 4
    assert memory.libraries >= 0


def test_where_it_cannot_run_is_told(library: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TENSORRT.obstacle(code(), GPU) is None
    assert "GPUs of CUDA alone" in str(TENSORRT.obstacle(code(), torch.device("cpu")))
    assert "several networks" in str(TENSORRT.obstacle(Ensemble.__new__(Ensemble), GPU))
    assert "onnxruntime" in str(TENSORRT.obstacle(replace(code(), graph=object()), GPU))  # type: ignore[arg-type]
    monkeypatch.setattr(runtime, "installed_release", lambda name: "")
    assert "pip install 'wholecloth[tensorrt]'" in str(TENSORRT.obstacle(code(), GPU))


def test_a_job_on_a_cpu_says_what_it_needs(tmp_path: Path) -> None:
    config = load_config(scenes.config(tmp_path, "job", execution={"runtime": "tensorrt", "device": "cpu"}), [])
    with pytest.raises(ConfigError, match=r"execution\.runtime is tensorrt, but TensorRT is run on GPUs of CUDA alone"):
        prepare_job(config)
