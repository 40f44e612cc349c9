from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, StoreError, Unfinished
from pipeline.exports.sidecars import delete_store
from pipeline.geometry.shards import Shard
from pipeline.store.files.local import Disk
from pipeline.store.lease import claim_files, lease
from pipeline.store.lease.claim_files import Claims
from pipeline.store.lease.lease import acquire, assert_held, holders
from pipeline.store.lifecycle import create
from tests.commands import Command, settled
from tests.store import leases, specs

FIRST, SECOND, OTHER = Shard(index=1, count=3), Shard(index=2, count=3), Shard(index=1, count=4)

HOLDS = """
import sys, time
from pathlib import Path
from pipeline.errors import Unfinished
from pipeline.store.lease.lease import acquire, assert_held
store, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
try:
    with acquire(store, None, "a run", lambda line: None):
        print("held", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not log.with_name("stop").exists():
            assert_held(store)
            with log.open("a") as file:
                file.write("written\\n")
            time.sleep(0.01)
except Unfinished as error:
    print(error, flush=True)
    sys.exit(75)
"""
"""A run that holds a store and writes while it may."""


def nothing(line: str) -> None:
    raise AssertionError(f"nobody had to be waited for, but: {line}")


def anything(line: str) -> None:
    """Whatever is said."""


def holding(path: Path, seconds: float = 600, patience: float = 1.5) -> subprocess.Popen[str]:
    command, environment = (
        [sys.executable, "-c", HOLDS, str(path), str(path.parent / "log"), str(seconds)],
        {**os.environ, lease.VARIABLE: str(patience)},
    )
    return Command(command, env=settled(environment), stdout=subprocess.PIPE, text=True)


def lines(path: Path) -> int:
    log = path.parent / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not said() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats every half second."""
    monkeypatch.setenv(lease.VARIABLE, "1.5")


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every holder is of a machine that cannot be looked into."""
    monkeypatch.setattr(claim_files, "is_alive", lambda holder: None)


def test_a_second_run_is_refused_with_the_name_of_the_first_and_is_let_in_when_that_is_through(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    with acquire(path, None, "a run", nothing):
        with pytest.raises(
            Unfinished, match=rf"a\.zarr is in use: a run \(process {os.getpid()} on .+, since 20.+ UTC"
        ) as refused:
            acquire(path, None, "finish", nothing)
        assert refused.value.exit_code == 75
        assert [(one["work"], one["pid"], one["shard"], one["alive"]) for one in holders(path)] == [
            ("a run", os.getpid(), None, True)
        ]
    assert (holders(path), leases.keys(path)) == ([], [])
    with acquire(path, None, "finish", nothing):
        assert [one["work"] for one in holders(path)] == ["finish"]


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [(FIRST, SECOND, True), (FIRST, FIRST, False), (FIRST, OTHER, False), (FIRST, None, False), (None, FIRST, False)],
)
def test_shards_of_one_number_of_shards_go_side_by_side_and_nothing_else_does(
    tmp_path: Path, one: Shard | None, two: Shard | None, both: bool
) -> None:
    path = leases.store(tmp_path)
    with acquire(path, one, "the first", nothing):
        if both:
            with acquire(path, two, "the second", nothing):
                assert sorted(str(said["shard"]) for said in holders(path)) == ["1/3", "2/3"]
        else:
            with pytest.raises(Unfinished, match="the first"):
                acquire(path, two, "the second", nothing)
    assert leases.keys(path) == []


def test_a_lease_is_given_back_when_the_run_fails_and_the_failure_stays_what_it_is(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    for error in (KeyError("of ours"), KeyboardInterrupt(), Unfinished("by SIGTERM")):
        with pytest.raises(type(error)) as raised, acquire(path, None, "a run", nothing):
            raise error
        assert raised.value is error
        assert leases.keys(path) == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick", "far")
def test_a_heartbeat_keeps_a_lease_from_those_who_cannot_look_at_the_process(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    with acquire(path, None, "a run", nothing):
        for _ in range(2):
            with pytest.raises(Unfinished, match="in use"):
                acquire(path, None, "a run", anything)
        assert_held(path)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_whoever_died_elsewhere_is_taken_over_whatever_the_clock_was_there(tmp_path: Path) -> None:
    path, said = leases.store(tmp_path), list[str]()
    leases.elsewhere(path)
    with acquire(path, None, "a run", said.append):
        assert leases.keys(path)[0] == "all.000002.json"
    assert "waiting up to" in said[0]


@pytest.mark.slow
def test_a_holder_that_was_killed_here_is_not_waited_for(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    with holding(path, patience=600) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Unfinished, match=f"process {other.pid} on"):
            acquire(path, None, "a run", nothing)
        other.kill()
        other.wait()
    with acquire(path, None, "a run", nothing):
        assert leases.keys(path) == ["all.000002.json"]


@pytest.mark.slow
@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize("died", ["here", "elsewhere"])
def test_of_many_processes_that_find_a_holder_dead_at_once_one_takes_over(tmp_path: Path, died: str) -> None:
    path = leases.store(tmp_path)
    if died == "elsewhere":
        leases.elsewhere(path)
    else:
        with holding(path) as first:
            assert first.stdout is not None
            first.stdout.readline()
            first.kill()
            first.wait()
    others = [holding(path) for _ in range(6)]
    until(lambda: sum(other.poll() is not None for other in others) == 5)
    (tmp_path / "stop").touch()
    said = [other.communicate(timeout=120)[0] for other in others]
    assert sorted(other.returncode for other in others) == [0, 75, 75, 75, 75, 75]
    assert sum("held" in words for words in said) == 1
    assert sum("is in use" in words for words in said) == 5
    assert leases.keys(path) == []


@pytest.mark.slow
@pytest.mark.nightly("kills", after=1)
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("meanwhile", ["taken over", "taken over and given back", "made anew"])
def test_who_was_frozen_and_wakes_up_writes_nothing_more_once_the_store_was_taken(
    tmp_path: Path, meanwhile: str
) -> None:
    path = leases.store(tmp_path)
    with holding(path) as frozen:
        until(lambda: lines(path) > 5)
        frozen.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        before, said = lines(path), list[str]()
        taken = acquire(path, None, "a run", said.append)
        assert len(said) == 1
        if meanwhile == "taken over and given back":
            taken.release()
        if meanwhile == "made anew":
            delete_store(path)
            create(path, specs.spec(), {"blocks": [1, 1], "id": "two"})
        after = leases.keys(path)
        frozen.send_signal(signal.SIGCONT)
        words = frozen.communicate(timeout=60)[0]
        assert frozen.returncode == 75
        assert "was taken over by another run, or made anew" in words
        assert lines(path) <= before + 1
        assert leases.keys(path) == after


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_who_was_frozen_while_nobody_wanted_the_store_goes_on(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    with holding(path) as frozen:
        until(lambda: lines(path) > 5)
        frozen.send_signal(signal.SIGSTOP)
        time.sleep(2)
        before = lines(path)
        frozen.send_signal(signal.SIGCONT)
        until(lambda: lines(path) > before + 1)
        (tmp_path / "stop").touch()
        frozen.communicate(timeout=60)
        assert frozen.returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_who_lost_its_lease_is_told_by_the_heartbeat_and_every_failure_since_is_for_that_reason(tmp_path: Path) -> None:
    path, stop, told = leases.store(tmp_path), threading.Event(), list[bool]()

    def run() -> None:
        with acquire(path, None, "a run", nothing, stop.set):
            found = Claims.on(path, 1)
            for claim in found.conflicting(None):
                found.drop(claim)
            leases.elsewhere(path)
            told.append(stop.wait(20))
            with pytest.raises(Unfinished, match="was taken over"):
                assert_held(path)
            raise KeyError("whatever comes of it")

    with pytest.raises(Unfinished, match="was taken over"):
        run()
    assert told == [True]
    assert leases.keys(path) == ["all.000001.json"]


def test_the_store_is_asked_again_only_when_the_last_heartbeat_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked, now = leases.store(tmp_path), list[int](), [1000.0]
    real = Claims.renew
    monkeypatch.setattr(lease, "boot_clock", lambda: now[0])
    monkeypatch.setattr(Claims, "renew", lambda self, claim, beats: asked.append(beats) or real(self, claim, beats))
    with acquire(path, None, "a run", nothing):
        for now[0] in (1000.0, 1019.0, 1021.0, 1030.0, 1042.0):
            assert_held(path)
    assert asked == [1, 2]


def test_storage_that_is_away_stops_the_run_when_nobody_knows_any_more_whose_the_store_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now = leases.store(tmp_path), [1000.0]

    def away(*args: Any) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lease, "boot_clock", lambda: now[0])
    with acquire(path, None, "a run", nothing):
        monkeypatch.setattr(Claims, "renew", away)
        assert_held(path)
        now[0] = 1021.0
        with pytest.raises(Unfinished, match="cannot be reached"):
            assert_held(path)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_heartbeat_that_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, calls = leases.store(tmp_path), Claims.renew, list[int]()

    def shaky(self: Claims, *args: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")
        return real(self, *args)

    monkeypatch.setattr(Claims, "renew", shaky)
    with acquire(path, None, "a run", nothing):
        until(lambda: len(calls) > 2)
        assert_held(path)


def test_a_worker_in_another_process_knows_a_store_that_was_made_anew_and_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now = leases.store(tmp_path), [1000.0]
    monkeypatch.setattr(lease, "boot_clock", lambda: now[0])
    assert_held(path)
    assert_held(path, "one")
    delete_store(path)
    assert_held(path, "one")  # it looked just now
    now[0] = 1021.0
    with pytest.raises(Unfinished, match="gone or was made anew"):
        assert_held(path, "one")
    create(path, specs.spec(), {"blocks": [1, 1], "id": "two"})
    with pytest.raises(Unfinished, match="gone or was made anew"):
        assert_held(path, "one")
    assert_held(path, "two")


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Disk, "create", full)
    with pytest.raises(Unfinished, match=r"cannot be written \(No space left"):
        acquire(leases.store(tmp_path), None, "a run", nothing)


def test_where_there_is_no_store_nothing_is_held(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store of ours"):
        acquire(tmp_path / "a.zarr", None, "a run", nothing)


@pytest.mark.parametrize("said", ["soon", "0", "-3", "nan", "1e9"])
def test_a_time_that_means_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(lease.VARIABLE, said)
    with pytest.raises(ConfigError, match=f"WHOLECLOTH_LEASE_S is '{said}'"):
        acquire(leases.store(tmp_path), None, "a run", nothing)
