import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.config.load import load_config
from pipeline.errors import InferenceError
from pipeline.inference import infer
from pipeline.inference.infer import Inference
from pipeline.models.loaded import Loaded
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.running.report import Report
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.progress import Progress
from pipeline.runtime.trace import open_trace
from pipeline.runtime.transfer import cuda
from pipeline.runtime.transfer.base import DeviceBlock
from tests import scenes
from tests.inference import late
from tests.inference.test_infer import LAYOUT, RECIPE, Counting, block


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """All networks run on a GPU whose copies are late."""
    late.install(monkeypatch)
    monkeypatch.setattr(infer, "transfer_for", late.Late)


def inference(network: torch.nn.Module) -> Inference:
    CANCELLED.clear()
    return Inference(Loaded(module=network, identity_fields={}), RECIPE, torch.device("cpu"))


@pytest.mark.usefixtures("far")
def test_nothing_is_computed_or_handed_on_before_it_has_arrived() -> None:
    valid = np.ones((64, 64), bool)
    valid[10:20, 5:9] = False
    of = block(valid)
    arrays, _ = inference(Counting())(of, LAYOUT)
    assert (arrays["mask"] == np.where(valid, of.pixels.data[0] < 0, 255)).all()
    assert (arrays["confidence"][~valid] == 0).all()


@pytest.mark.usefixtures("far")
def test_the_device_is_asked_for_more_before_anything_is_fetched() -> None:
    run, blocks = inference(Counting()), [block() for _ in range(3)]
    for k, of in enumerate(blocks):
        of.pixels.data[:] += k
    asked = [run.enqueue(run.upload(of), LAYOUT) for of in blocks]
    for of, (arrays, _) in zip(blocks, map(run.collect, reversed(asked)), strict=False):
        assert arrays["mask"].shape == of.pixels.data[0].shape
    for of, one in zip(blocks, asked, strict=True):
        assert (run.collect(one)[0]["mask"] == (of.pixels.data[0] < 0)).all()


@pytest.mark.usefixtures("far")
def test_a_sum_that_nobody_looked_at_still_fails_the_block_and_is_named() -> None:
    with pytest.raises(InferenceError, match="NaN or infinity at 4096 valid pixels"):
        inference(Counting(bad=True))(block(), LAYOUT)


@pytest.mark.usefixtures("far")
def test_what_the_network_says_where_nothing_is_valid_is_not_looked_at_again() -> None:
    class Divided(Counting):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return torch.cat([x, -x], 1) / (x != 0)

    valid, network = np.ones((64, 64), bool), Divided()
    valid[10:20, 5:9] = False
    arrays, _ = inference(network)(block(valid), LAYOUT)
    assert ((arrays["mask"] == 255) == ~valid).all()
    assert network.calls == 1


@pytest.mark.usefixtures("far")
def test_numbers_whose_sum_overflows_fail_nothing() -> None:
    class Large(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x.abs() + 3e38, x.abs()], 1)

    arrays, _ = inference(Large())(block(), LAYOUT)
    assert (arrays["mask"] == 0).all()


@pytest.mark.usefixtures("far")
def test_blocks_go_tile_by_tile_once_one_found_no_room_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def full(like: torch.Tensor) -> torch.Tensor:
        asked.append(like)
        raise torch.OutOfMemoryError("CUDA out of memory")

    run, of = inference(Counting()), block()
    there = run.upload(of)
    with monkeypatch.context() as patch:
        patch.setattr(cuda, "pinned_like", full)
        brought = [run.upload(of), run.upload(of)]
    assert len(asked) == 1, "looking for room stops what computes"
    assert there.raw.arrival is not None
    for one in brought:
        assert one.raw.arrival is None
        assert (run.collect(run.enqueue(one, LAYOUT))[0]["mask"] == (of.pixels.data[0] < 0)).all()


@pytest.mark.usefixtures("far")
def test_a_block_makes_room_on_the_device_before_tiles_are_halved() -> None:
    class Tight(Counting):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("CUDA error: out of memory")
            return torch.cat([x, -x], 1)

    network, of = Tight(), block()
    run = inference(network)
    brought = run.upload(of)
    arrays, halvings = run.collect(run.enqueue(brought, LAYOUT))
    assert (network.calls, halvings, brought.raw.arrival) == (2, 0, None)
    assert (arrays["mask"] == (of.pixels.data[0] < 0)).all()


@pytest.mark.usefixtures("far")
def test_where_memory_is_short_for_a_second_look_the_block_fails_all_the_same() -> None:
    class Greedy(Counting):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")
            return torch.cat([x, -x], 1) / 0

    with pytest.raises(InferenceError, match=r"NaN or infinity in .*no memory to see where"):
        inference(Greedy())(block(), LAYOUT)


def test_without_page_locked_memory_any_other_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.empty

    def empty(*shape: Any, pin_memory: bool = False, **said: Any) -> torch.Tensor:
        if pin_memory:
            raise RuntimeError(words)
        return real(*shape, **said)

    monkeypatch.setattr(torch, "empty", empty)
    words = "CUDA error: out of memory"
    assert cuda.pinned_like(torch.zeros(3, dtype=torch.uint16)).shape == (3,)
    words = "no such thing"
    with pytest.raises(RuntimeError, match=words):
        cuda.pinned_like(torch.zeros(3))


def test_a_device_in_the_memory_of_the_process_copies_nothing() -> None:
    of = block()
    raw = inference(Counting()).upload(of).raw
    assert raw.data.data_ptr() == of.pixels.data.ctypes.data
    assert raw == DeviceBlock(raw.data, raw.valid)


def run(job: Job, trace: Path) -> Report:
    with Progress() as progress, open_trace(trace) as file:
        return execute(job, progress, trace=file)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("tile", [{"size": 96}, {"size": 64, "overlap": 0.5, "batch": 2}], ids=["halo", "blended"])
def test_a_whole_job_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: dict[str, Any]
) -> None:
    here, there = (
        prepare_job(load_config(scenes.config(tmp_path, name, tile=tile, execution={"engine": "threads"})))
        for name in ("here", "there")
    )
    run(here, tmp_path / "here.json")
    late.install(monkeypatch)
    monkeypatch.setattr(infer, "transfer_for", late.Late)
    report = run(there, tmp_path / "there.json")
    assert chunks(tmp_path / "here.zarr") == chunks(tmp_path / "there.zarr")
    assert 0 < report.device.busy <= 1
    slices = [event for event in json.loads((tmp_path / "there.json").read_text()) if event["ph"] == "X"]
    assert (
        sum(event["name"] == "device" for event in slices)
        == sum(event["name"] == "wait for device" for event in slices)
        > 5
    )
    assert not any(event["name"] == "network" for event in slices), (
        "that is when it was asked for, not when it was computed"
    )


def chunks(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and "c" in path.relative_to(store).parts
    }
