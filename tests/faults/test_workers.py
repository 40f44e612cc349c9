"""Workers that die, freeze and come back, or are cut off: a run loses their blocks for a while, and no byte."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.store.ledger import Ledger
from tests.commands import Command, settled
from tests.faults import harness

pytestmark = pytest.mark.slow
AWAY, HERE, THERE = "wholecloth-away", "10.231.7.1", "10.231.7.2"
"""A network namespace, and the two ends of the line to it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler and its workers, one of which is held at work."""

    address: str
    workers: list[subprocess.Popen[bytes]]
    place: Path

    def reached(self, run: harness.Run) -> None:
        """Wait until a worker is held."""
        run.until(self.place / "held")

    @property
    def held(self) -> int:
        """Its number."""
        return int((self.place / "held").read_text())

    def go(self) -> None:
        """Let it go on."""
        (self.place / "go").touch()


@contextmanager
def cluster(folder: Path, host: str = "127.0.0.1", away: str | None = None) -> Iterator[Cluster]:
    """A scheduler that takes silence of three seconds for death, a worker beside it, and one that is held in its third
    tile, perhaps elsewhere."""
    place = folder / "cluster"
    place.mkdir()
    plain = {**settled(os.environ), "FAULT_STORE": str(folder / "job.zarr")}
    held = {**plain, "FAULT_AT": f"inference:2:{place}"}
    said, log, dask = place / "scheduler.json", (place / "log").open("w"), [sys.executable, "-m", "dask"]
    how = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL, "cwd": place}
    started: list[subprocess.Popen[bytes]] = []
    try:
        scheduler = [*dask, "scheduler", "--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", str(said)]
        started.append(Command(scheduler, env={**plain, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "3s"}, **how))
        address = _address(said, started[0])
        for env, where, prefix in (
            (plain, host, []),
            (held, away or host, ["ip", "netns", "exec", AWAY] if away else []),
        ):
            worker = [
                *dask,
                "worker",
                address,
                "--host",
                where,
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--memory-limit",
                "0",
            ]
            started.append(Command([*prefix, *worker], env=env, **how))
        _joined(address, len(started) - 1)
        yield Cluster(address, started[1:], place)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _joined(address: str, count: int) -> None:
    """Wait for workers, one of which may be started more slowly than the other does all blocks."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def _address(said: Path, scheduler: subprocess.Popen[bytes]) -> str:
    while True:
        assert scheduler.poll() is None
        try:
            return str(json.loads(said.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.1)


def config(calm: harness.Calm, folder: Path, made: Cluster) -> Path:
    return harness.config(folder, calm.raster, execution={"engine": "address", "address": {"scheduler": made.address}})


def test_a_worker_that_is_killed_costs_its_blocks_only(calm: harness.Calm, tmp_path: Path) -> None:
    path = harness.config(tmp_path, calm.raster, execution={"engine": "processes", "processes": 2, "workers": 1})
    started = harness.start(path, "inference", 6)
    started.reached()
    os.kill(int((started.place / "held").read_text()), signal.SIGKILL)
    started.go()
    ended = started.ended()
    assert ended.code == 0, ended.err
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 75)])
def test_a_client_that_ends_takes_its_workers_with_it(
    calm: harness.Calm, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    path = harness.config(tmp_path, calm.raster, execution={"engine": "processes", "processes": 2, "workers": 1})
    started = harness.start(path, "inference", 6)
    started.reached()
    worker = int((started.place / "held").read_text())
    started.send(sent)
    ended = started.ended()
    assert ended.code == code, ended.err
    end = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
    there = Ledger(tmp_path / "job.zarr").count()
    assert harness.again(path, "execution.engine=serial").resumed == there
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
def test_a_worker_that_freezes_and_is_revived_late_does_no_harm(calm: harness.Calm, tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        started = harness.start(config(calm, tmp_path, made))
        made.reached(started)
        os.kill(made.held, signal.SIGSTOP)
        made.go()
        ended = started.ended()
        assert ended.code == 0, ended.err
        calm.same(tmp_path)
        os.kill(made.held, signal.SIGCONT)
        time.sleep(2)  # in which it would write, if it did
        calm.same(tmp_path)


@pytest.fixture
def line() -> Iterator[None]:
    """A network namespace at the other end of a line."""
    steps = [
        f"netns add {AWAY}",
        "link add wholecloth0 type veth peer name wholecloth1",
        f"link set wholecloth1 netns {AWAY}",
        f"addr add {HERE}/30 dev wholecloth0",
        "link set wholecloth0 up",
        f"-n {AWAY} addr add {THERE}/30 dev wholecloth1",
        f"-n {AWAY} link set wholecloth1 up",
        f"-n {AWAY} link set lo up",
    ]
    try:
        if shutil.which("ip") is None or not all(ip(step) for step in steps):
            pytest.skip("no network namespace can be made here")
        yield
    finally:
        ip(f"netns delete {AWAY}")


def ip(words: str) -> bool:
    return (
        shutil.which("ip") is not None and subprocess.run(["ip", *words.split()], capture_output=True).returncode == 0
    )


@pytest.mark.nightly("kills")
@pytest.mark.usefixtures("line")
def test_a_host_that_is_cut_off_and_comes_back_costs_its_blocks_for_a_while(calm: harness.Calm, tmp_path: Path) -> None:
    with cluster(tmp_path, HERE, THERE) as made:
        started = harness.start(config(calm, tmp_path, made))
        made.reached(started)
        assert ip(f"-n {AWAY} link set wholecloth1 down")
        made.go()
        ended = started.ended()
        assert ended.code == 0, ended.err
        calm.same(tmp_path)
        assert ip(f"-n {AWAY} link set wholecloth1 up")
        time.sleep(2)  # in which it would write, if it did
        calm.same(tmp_path)
