"""Kinds of devices: every row is complete, an imitated row is used like any other, and no other room compares names of
devices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

import pipeline
from pipeline.config import ExecutionConfig
from pipeline.errors import ModelError
from pipeline.inference.infer import Inference
from pipeline.models.loaded import Loaded
from pipeline.runtime import backends, transfer
from pipeline.runtime.backends import KINDS, backend_of
from pipeline.runtime.backends.base import Backend, DeviceMemory
from pipeline.runtime.backends.cpu import Cpu
from pipeline.runtime.backends.cuda import Cuda
from pipeline.runtime.device import fixed_numerics, out_of_memory, select_device
from tests.inference import late
from tests.inference.test_infer import LAYOUT, RECIPE, Counting, block

PACKAGE = Path(pipeline.__file__).parent
NAMES = re.compile(r"cuda|CUDA|\.type ([!=]=|in|not in) |device ([!=]=|in|not in) ['\"(](?!auto)|device\.startswith")
"""What a file writes that tells kinds of devices apart."""
OUTSIDE = {
    "runtime/transfer/__init__.py": "it imports page-locked memory from the module of that name",
    "runtime/transfer/base.py": "the events of its types are torch's",
    "runtime/transfer/cuda.py": "the streams of the row of that name",
    "runtime/import_faults.py": "words of an error that another library raises",
    "config/cluster.py": "an example of a shell's line, in a description",
    "config/execution.py": "a description, of a room that imports no other",
    "config/frozen.py": "a description, of a room that imports no other",
    "models/exported.py": "a program's tensors are compared with the device, whatever kind either is",
    "models/descriptions/bioimage/format_0_5.py": "types of axes, not of devices",
    "models/runtimes/runtime.py": "the kernels of a library are of one kind of device, whatever rows there are",
    "models/runtimes/tensorrt.py": "the runtime's kernels are of GPUs of CUDA alone, whatever rows there are",
    "models/onnx.py": "a message tells what to install for onnxruntime",
}
"""Files beside the table that may, each with its reason."""


class Imitated(Cpu):
    """A throw-away row: a device with memory of its own, of which the machine has three."""

    name = "meta"
    first = "meta:0"
    noun = "an imitation"
    copies = numbered = batched = True
    out_of_memory = ("the imitation is full",)

    def visible(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def memory(self, device: torch.device) -> DeviceMemory | None:
        return DeviceMemory(free=10, total=1000)

    def hardware(self, device: torch.device) -> str:
        return "imitated"

    def transfer(self, device: torch.device) -> Any:
        return late.Late(device)


@pytest.fixture
def imitated(monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setitem(KINDS, "meta", Imitated())
    return KINDS["meta"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_answers_all_that_is_asked_of_one(kind: str) -> None:
    backend, device = KINDS[kind], torch.device(KINDS[kind].first)
    wanted = {*Backend.__annotations__, *(name for name in vars(Backend) if not name.startswith("_"))}
    assert {name for name in wanted if getattr(backend, name, None) is None} == set()
    assert (backend.name, device.type) == (kind, kind)
    assert set(backend.autocast) == set(get_args(ExecutionConfig.model_fields["precision"].annotation)) - {
        "auto",
        "float32",
    }
    assert backend.out_of_memory
    assert backend.numbered == bool(backend.visible_variable)
    assert any(backend.provider in entry for entry in backend.providers(device))


def test_the_last_kind_that_the_machine_has_is_chosen(monkeypatch: pytest.MonkeyPatch, imitated: Backend) -> None:
    assert select_device("auto") == torch.device("meta:0")
    monkeypatch.setattr(Imitated, "available", lambda backend: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert select_device("auto") == torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert select_device("auto") == torch.device("cpu")


def test_a_row_is_chosen_by_name_and_answers_for_its_device(imitated: Backend) -> None:
    assert backend_of(select_device("meta")) is imitated
    assert backend_of("meta:2").memory(torch.device("meta:2")) == (10, 1000)
    assert out_of_memory(RuntimeError("it says that the imitation is full"))
    with pytest.raises(
        ModelError, match=r"'cuda:7', which this machine does not have .* Use cpu, cuda:0, meta:0 or auto\."
    ):
        select_device("cuda:7")


def test_a_kind_without_a_row_is_refused() -> None:
    assert not out_of_memory(RuntimeError("it says that the imitation is full"))
    with pytest.raises(
        ModelError, match=r"'meta', and no backend drives devices of this kind. Use cpu, cuda:0 or auto\."
    ):
        select_device("meta")


def test_the_row_of_a_device_brings_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    class Far(Imitated):
        name = first = "cpu"

    late.install(monkeypatch)
    monkeypatch.setitem(KINDS, "cpu", Far())
    transfer.transfer_for.cache_clear()
    try:
        run = Inference(Loaded(module=Counting(), identity_fields={}), RECIPE, torch.device("cpu"))
        part = block()
        brought = run.upload(part)
        assert brought.raw.data.data_ptr() != part.pixels.data.ctypes.data
        np.testing.assert_array_equal(run.collect(run.enqueue(brought, LAYOUT))[0]["mask"], part.pixels.data[0] < 0)
    finally:
        transfer.transfer_for.cache_clear()


def test_rounding_is_fixed_for_every_kind_and_autocast_takes_the_dtype_of_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = list[str]()
    for kind in (Cpu, Cuda):
        monkeypatch.setattr(kind, "fix_rounding", lambda backend: calls.append(backend.name))
    with fixed_numerics("bfloat16", torch.get_num_threads(), torch.device("cpu")):
        assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    assert calls == list(KINDS)


@pytest.mark.parametrize(("kind", "inside"), [("cpu", (False, True, True)), ("cuda", (True, False, False))])
def test_a_kind_switches_to_full_precision_and_back(
    monkeypatch: pytest.MonkeyPatch, kind: str, inside: tuple[bool, ...]
) -> None:
    def switches() -> tuple[bool, ...]:
        return torch.backends.mkldnn.enabled, torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.enabled

    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    before = switches()
    with KINDS[kind].full_precision():
        assert switches() == inside
    assert switches() == before == (True, True, True)


def test_a_process_sees_the_one_device_that_is_named() -> None:
    assert backends.visible_environment("GPU-7") == {"CUDA_VISIBLE_DEVICES": "GPU-7"}


def test_no_other_file_tells_kinds_of_devices_apart() -> None:
    files = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    outside = {name for name, text in files.items() if NAMES.search(text) and not name.startswith("runtime/backends/")}
    assert outside == set(OUTSIDE), "ask a row of pipeline.runtime.backends, or say in OUTSIDE why not"
