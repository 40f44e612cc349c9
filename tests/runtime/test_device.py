import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import zarr

from pipeline.config.load import load_config
from pipeline.models.loaded import Loaded
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime import allocator, device, resources
from pipeline.runtime.device import prefault_memory, run_on_device_thread
from pipeline.runtime.progress import Progress
from tests import scenes

SIZE = 256 * 2**20
FAULTS = f"""
import psutil, sys, torch
from pipeline.runtime import device
from pipeline.runtime.device import prefault_memory, run_on_device_thread
if sys.argv[1] == "ahead":
    prefault_memory({SIZE})
    device._prefault.result()
run_on_device_thread(lambda: None)
resident = lambda: psutil.Process().memory_info().rss
before = resident()
held = run_on_device_thread(lambda: torch.empty({SIZE // 2}, dtype=torch.uint8).fill_(1))
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.nightly("scale")
@pytest.mark.skipif(not allocator._glibc(), reason="the settings are glibc's")
def test_memory_that_is_laid_out_ahead_is_there_for_the_first_tile() -> None:
    env = allocator.env_with_settings(
        {
            name: value
            for name, value in os.environ.items()
            if name != "GLIBC_TUNABLES" and not name.startswith("MALLOC_")
        }
    )
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, how], env=env, capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("ahead", "not")
    ]
    assert grown[0] < SIZE / 20
    assert grown[1] > SIZE / 3


@pytest.mark.slow
def test_a_network_is_measured_and_run_by_one_thread_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = Loaded.__call__, set()
    monkeypatch.setattr(Loaded, "__call__", lambda network, x: (seen.add(threading.get_ident()), real(network, x))[1])
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    with Progress() as progress:
        execute(prepare_job(load_config(scenes.config(tmp_path, execution={"engine": "threads"}))), progress)
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


def test_no_tile_begins_beside_the_memory_that_is_being_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    laid, order = threading.Event(), []
    monkeypatch.setattr(device, "has_malloc_settings", lambda: True)
    monkeypatch.setattr(device, "_touch", lambda size: (laid.wait(60), order.append("room")))
    prefault_memory(1)
    tile = threading.Thread(target=lambda: run_on_device_thread(lambda: order.append("tile"), 2))
    tile.start()
    tile.join(0.2)
    laid.set()
    tile.join(60)
    assert order == ["room", "tile"]


def test_memory_is_laid_out_until_a_tile_comes_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    laid: list[int] = []
    begun = threading.Event()

    class Slow:
        def __getitem__(self, part: slice) -> Any:
            begun.set()
            laid.append(part.stop - part.start)
            assert device._requested.wait(60)
            return self

        def fill_(self, value: int) -> None: ...

    monkeypatch.setattr(device, "has_malloc_settings", lambda: True)
    monkeypatch.setattr(torch, "empty", lambda *of, **more: Slow())
    prefault_memory(10 * device.STEP)
    assert begun.wait(60)
    assert run_on_device_thread(lambda: "a tile") == "a tile"
    assert laid == [device.STEP]


def streamed(folder: Path, name: str, streams: int, **sections: Any) -> Any:
    execution = {"engine": "threads", "streams": streams, "crop": False, **sections.pop("execution", {})}
    return prepare_job(load_config(scenes.config(folder, name, execution=execution, **sections)))


def run(job: Any) -> Any:
    with Progress() as progress:
        return execute(job, progress)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("tile", [{"size": 96}, {"size": 64, "overlap": 0.5, "batch": 2}], ids=["halo", "blended"])
def test_several_tiles_at_once_give_the_bytes_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: dict[str, Any]
) -> None:
    real, seen, meet = Loaded.__call__, set(), threading.Barrier(3)

    def together(network: Loaded, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread() not in seen and len(seen) < 3 and meeting.is_set():
            seen.add(threading.current_thread())
            meet.wait(60)  # three are inside the network at one moment
        return real(network, x)

    meeting = threading.Event()
    monkeypatch.setattr(Loaded, "__call__", together)
    monkeypatch.setattr(resources, "cores", lambda: 1)
    alone, several = (streamed(tmp_path, name, streams, tile=tile) for name, streams in (("alone", 1), ("several", 3)))
    assert alone.task.recipe.threads == several.task.recipe.threads == 1, "threads change roundings"
    assert several.plan.worker_layout.streams == several.task.streams == 3
    assert several.plan.buffers["logits"] == 3 * alone.plan.buffers["logits"]
    run(alone)
    meeting.set()
    run(several)
    assert len(seen) == 3
    assert chunks(tmp_path / "alone.zarr") == chunks(tmp_path / "several.zarr")
    assert len(chunks(tmp_path / "alone.zarr")) > 20


def chunks(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and "c" in path.relative_to(store).parts
    }


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_is_gone_on_with_in_the_threads_it_was_made_in_however_many_tiles_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "cores", lambda: 6)
    assert (streamed(tmp_path, "job", 2).task.recipe.threads, streamed(tmp_path, "job", 3).task.recipe.threads) == (
        3,
        2,
    )
    run(streamed(tmp_path, "job", 3))
    for cores, asked, expected in ((6, "auto", 3), (2, "auto", 1), (1, "auto", 1), (6, 1, 1), (6, 5, 5)):
        monkeypatch.setattr(resources, "cores", lambda cores=cores: cores)
        job = streamed(tmp_path, "job", asked)  # type: ignore[arg-type]
        assert (job.task.recipe.threads, job.plan.worker_layout.streams, job.complete) == (2, expected, True)


@pytest.mark.slow
def test_each_core_computes_a_tile_where_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "cores", lambda: 4)
    monkeypatch.setattr("pipeline.planning.search.MIN_CONCURRENT_PX", 0)
    job = prepare_job(load_config(scenes.config(tmp_path, tile={"size": 96}, execution={"engine": "threads"})))
    assert (job.plan.worker_layout.streams, job.task.recipe.threads) == (4, 1)
    run(job)
    labels = zarr.open_array(tmp_path / "job.zarr" / "0" / "mask", mode="r")[:]
    assert (labels == scenes.whole(tmp_path)).all()
