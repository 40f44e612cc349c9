"""Networks in OpenVINO give what they give in torch, whatever form they have, and the same bytes whatever came before.

Skipped where OpenVINO is not installed.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.errors import ModelError
from pipeline.models import onnx
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.planning.prepare import prepare_job
from pipeline.planning.runtimes.timings import runtime_rows
from pipeline.store.lifecycle import open_layer
from tests import networks, runs, scenes
from tests.models.onnx_files import to_onnx

pytest.importorskip("openvino")
from pipeline.models.openvino import graphs as openvino_graphs
from pipeline.models.openvino.network import OpenVinoNetwork

CPU = torch.device("cpu")
SHAPE = (1, 3, 64, 64)
OPENVINO = KINDS["openvino"]


class Both(nn.Module):
    """Returns the network's answer by name, after a smaller one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.body(x)
        return {"aux": 2 * y, "out": y}


class Pair(nn.Module):
    """Returns two tensors, of which the second is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.body(x)
        return 2 * y, y


class Resized(nn.Module):
    """Takes the size of the image into its arithmetic."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = torch.nn.functional.avg_pool2d(x, 2)
        return torch.nn.functional.interpolate(
            self.body(half), size=(x.shape[2], x.shape[3]), mode="bilinear", align_corners=False
        )


class Listed(nn.Module):
    """Keeps its levels in a list, and resizes as torch's own scripted code does: in loops over axes."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([networks.conv(3, 8), networks.conv(8, 8), networks.conv(8, 4)])
        self.up = nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels: list[torch.Tensor] = []
        for stage in self.stages:
            x = torch.relu(stage(x))
            levels.append(x)
            x = torch.nn.functional.max_pool2d(x, 2)
        return self.up(self.up(levels[2]))


class Branching(nn.Module):
    """Takes a number of the image for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.Twice()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.body(x)
        return y if float(x.max()) < 3 else -y


def loaded(module: nn.Module, key: str = "auto", script: bool = False, folded: bool = False) -> Loaded:
    module = networks.lively(module) if not isinstance(module, Both | Pair) else module.eval()
    network = Loaded(module=torch.jit.script(module) if script else module, identity_fields={}, key=key)
    return fold(network).network if folded else network


def difference(network: Loaded, other: Loaded, rows: int = 96, cols: int = 80) -> float:
    x = torch.randn(1, 3, rows, cols, generator=torch.Generator().manual_seed(1))
    reference = network(x)
    return float((reference - other(x)).abs().max() / reference.abs().max())


@pytest.mark.parametrize("script", [False, True], ids=["python", "script"])
@pytest.mark.parametrize(
    ("module", "key"),
    [
        (networks.UNet, "auto"),
        (networks.Strided, "auto"),
        (Both, "auto"),
        (Both, "aux"),
        (Pair, "1"),
    ],
)
def test_it_gives_what_torch_gives(module: type[nn.Module], key: str, script: bool) -> None:
    network = loaded(module(), key, script)
    assert difference(network, OPENVINO.run(network, SHAPE)) < 2e-6


def test_sizes_stay_sizes_in_code_of_python() -> None:
    network = loaded(Resized())
    assert difference(network, OPENVINO.run(network, SHAPE)) < 2e-6


def test_loops_of_scripted_code_are_unrolled() -> None:
    network = loaded(Listed(), script=True, folded=True)
    assert network.module.graph.findAllNodes("prim::Loop")  # type: ignore[operator, union-attr]
    assert difference(network, OPENVINO.run(network, SHAPE)) < 2e-6


def test_what_openvino_takes_and_cannot_compile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = OPENVINO.run(loaded(networks.Twice()), SHAPE)

    def fails(*_: Any) -> None:
        raise RuntimeError("Exception from somewhere:\nno kernel\n\n")

    monkeypatch.setattr(openvino_graphs, "compile_static", fails)
    with pytest.raises(ModelError, match=r"cannot compile this network for 96 × 80 px \(RuntimeError: no kernel\)"):
        network(torch.zeros(1, 3, 96, 80))


def test_a_folded_network_keeps_its_answer() -> None:
    for script in (False, True):
        network = loaded(networks.UNet(), script=script, folded=True)
        assert difference(network, OPENVINO.run(network, SHAPE)) < 2e-6


def test_an_onnx_file_gives_what_onnxruntime_gives(tmp_path: Path) -> None:
    path = to_onnx(networks.Twice(), tmp_path / "net.onnx")
    network = onnx.load(ModelConfig(kind="onnx", path=path), 3, CPU)
    assert OPENVINO.obstacle(network, CPU) is None
    assert difference(network, OPENVINO.run(network, SHAPE)) < 2e-6
    half = onnx.load(ModelConfig(kind="onnx", path=to_onnx(networks.Twice().half(), tmp_path / "half.onnx")), 3, CPU)
    assert "other numbers than float32" in str(OPENVINO.obstacle(half, CPU))


def test_code_that_takes_a_number_of_the_image_for_a_constant_is_known() -> None:
    facts = OPENVINO.facts
    assert facts is not None
    assert facts(OPENVINO.run(loaded(Branching()), SHAPE)).fixed_numbers
    straight = facts(OPENVINO.run(loaded(Resized()), SHAPE))
    assert not straight.fixed_numbers
    assert {"Convolution", "Relu", "AvgPool"} <= straight.operators


def test_what_openvino_cannot_take_is_said_by_its_operator() -> None:
    class Strange(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.qr(x)[0]

    with pytest.raises(ModelError, match=r"OpenVINO cannot take this network \(.*qr"):
        OPENVINO.run(Loaded(module=Strange().eval(), identity_fields={}), SHAPE)


def test_shapes_in_any_order_give_the_same_bytes_and_few_graphs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graphs, "GRAPHS_BYTES", 0)
    network, sides = loaded(networks.UNet()), [64, 72, 80, 88, 96, 104]
    images = {side: torch.randn(1, 3, side, 64, generator=torch.Generator().manual_seed(side)) for side in sides}
    first = OPENVINO.run(network, SHAPE)
    answers = {side: first(images[side]) for side in sides}
    assert isinstance(first.module, OpenVinoNetwork)
    assert len(first.module.graphs._compiled) == openvino_graphs.ROW_GRAPHS
    second = OPENVINO.run(network, SHAPE)
    for side in [*reversed(sides), 64, 104, 64]:
        assert torch.equal(second(images[side]), answers[side])


def test_the_room_of_a_smaller_image_goes_back_and_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    used = count(10**6, -600)  # each time that it is asked
    monkeypatch.setattr(openvino_graphs.resources, "heap_in_use", lambda: next(used))
    monkeypatch.setattr(openvino_graphs.resources, "trim_heap", lambda: trims.append(1))
    module = OPENVINO.run(loaded(networks.Twice()), SHAPE).module
    assert isinstance(module, OpenVinoNetwork)
    for side, times in [(64, 0), (96, 1), (64, 1), (80, 1), (96, 1), (112, 2), (112, 2), (96, 2)]:
        module(torch.zeros(1, 3, side, 64))
        assert len(trims) == times
        assert [len(filler) for filler in module.graphs._fillers] == [540] * times


@pytest.mark.parametrize(
    ("times", "graphs"), [(1000, openvino_graphs.ALL_GRAPHS), (6, 6), (1, openvino_graphs.ROW_GRAPHS)]
)
def test_as_many_graphs_are_kept_as_their_weights_allow(
    times: int, graphs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = OPENVINO.run(loaded(networks.Twice()), SHAPE).module
    assert isinstance(module, OpenVinoNetwork)
    constants = [node for node in module.converted.model.get_ops() if node.get_type_name() == "Constant"]
    monkeypatch.setattr(openvino_graphs, "GRAPHS_BYTES", times * sum(node.get_byte_size() for node in constants))
    assert openvino_graphs.max_graphs(module.converted) == graphs


def test_an_answer_stays_when_the_next_image_comes() -> None:
    network = OPENVINO.run(loaded(networks.Twice()), SHAPE)
    x = torch.randn(SHAPE)
    answer = network(x)
    kept = answer.clone()
    network(-x)
    assert torch.equal(answer, kept)


def test_shorter_floats_are_refused() -> None:
    network = OPENVINO.run(loaded(networks.Twice()), SHAPE)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ModelError, match="computes in float32 alone"):
        network(torch.zeros(SHAPE))


def test_its_memory_is_measured_beside_the_process() -> None:
    assert OPENVINO.memory is not None
    memory = OPENVINO.memory(OPENVINO.run(loaded(networks.UNet()), SHAPE), (1, 3, 384, 384), (1, 3, 64, 72), 1)
    assert 20 * 2**20 < memory.libraries < 2**30
    assert 4 < memory.bytes_per_pixel < 4000


def config(folder: Path, name: str, **execution: Any) -> Path:
    return scenes.config(folder, name, execution={"runtime": "openvino", "engine": "threads", **execution})


def test_a_store_that_is_gone_on_with_has_the_bytes_of_one_run(tmp_path: Path) -> None:
    calm, halved = config(tmp_path, "calm"), config(tmp_path, "halved")
    runs.go(calm)
    assert np.array_equal(open_layer(tmp_path / "calm.zarr", 0, "mask")[:], scenes.whole(tmp_path))
    runs.go(halved, shard=runs.shards(2)[1])
    runs.go(halved)
    assert runs.arrays(tmp_path / "halved.zarr") == runs.arrays(tmp_path / "calm.zarr")


def test_it_is_timed_beside_torch_where_that_is_asked_for(tmp_path: Path) -> None:
    job = prepare_job(load_config(config(tmp_path, "job"), []))
    rows = [sentence for _, sentence in runtime_rows(job)]
    assert [row.split(":")[0] for row in rows if "CPU seconds" in row] == ["torch", "openvino"]
    assert replace(job.task, runtime_shape=()) != job.task
