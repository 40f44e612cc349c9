"""How a run ends: by the time it has, by storage that hangs, by a signal; each in a process of its own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.cli import exit as exits
from pipeline.store.status import status
from tests import commands, scenes

SURROUNDINGS = Path(__file__).with_name("surroundings.py")


def wholecloth(*args: object, fault: str = "") -> subprocess.CompletedProcess[str]:
    return commands.wholecloth(*args, env={**os.environ, "FAULT": fault})


def config(folder: Path, side: int = 600, **sections: dict[str, Any]) -> Path:
    """A job whose network brings the faults; 25 blocks."""
    scenes.scene(folder / "scene.tif", side, side)
    model = {"kind": "python", "factory": f"{SURROUNDINGS}:make", "path": None}
    return scenes.config(folder, **{"model": model, "tile": {"size": 72}, **sections})


def said_once(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The last line of stderr is the paragraph that says why."""
    last = done.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in last
    assert done.stderr.count(words[0]) == 1


@pytest.mark.slow
@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(
    ("phase", "engine", "committed"),
    [("blocks", "serial", range(1, 25)), ("blocks", "threads", range(1, 25)), ("overviews", "serial", [25])],
)
def test_the_time_of_a_run_ends_it_in_any_phase_and_it_is_gone_on_with(
    tmp_path: Path, phase: str, engine: str, committed: Any
) -> None:
    path = config(tmp_path, execution={"engine": engine, "stop_after": "1h", "workers": 2})
    done = wholecloth("run", path, fault=phase)
    assert done.returncode == 75, done.stderr
    said_once(done, "the 3600 s of execution.stop_after are over", "run the same command again")
    found = status(tmp_path / "job.zarr")
    assert found.committed in committed
    assert not found.complete
    again = wholecloth("run", path)
    assert again.returncode == 0, again.stderr
    assert f"25 blocks ({found.committed} before this run" in again.stdout


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_the_time_of_a_run_ends_its_certificate_too(tmp_path: Path) -> None:
    path = config(tmp_path, execution={"stop_after": "1h"}, output={"certificate": True})
    done = wholecloth("run", path, fault="certificate")
    assert done.returncode == 75, done.stderr
    said_once(done, "execution.stop_after", "run the same command again")
    assert status(tmp_path / "job.zarr").certificate is None
    assert wholecloth("run", path).returncode == 0
    assert (status(tmp_path / "job.zarr").certificate or {})["passed"]


@pytest.mark.nightly("kills", after=1)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "time"), [("planning", "1h"), ("", "0.01")], ids=["while it measures", "before anything is begun"]
)
def test_the_time_of_a_run_ends_its_planning_and_counts_from_the_start_of_the_process(
    tmp_path: Path, fault: str, time: str
) -> None:
    done = wholecloth("run", config(tmp_path), "--set", f"execution.stop_after={time}", fault=fault)
    assert done.returncode == 75, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    said_once(done, "execution.stop_after are over")
    assert not (tmp_path / "job.zarr").exists()


@pytest.mark.slow
@pytest.mark.nightly("kills")
@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_a_place_that_hangs_fails_its_blocks_and_the_process_ends(tmp_path: Path, engine: str) -> None:
    path = config(tmp_path, execution={"engine": engine, "workers": 2, "read_timeout": "2s", "retries": 0})
    done = wholecloth("run", path, fault="place")
    assert done.returncode == 1, done.stderr
    said_once(
        done,
        "of 25 blocks failed and are left as nodata",
        "did not answer within 2 s (execution.read_timeout)",
        "block 0,0",
    )
    # said when it happened, and at the end
    assert any(line.startswith("block 0,0 (") for line in done.stderr.splitlines())
    found = status(tmp_path / "job.zarr")
    assert 0 < len(found.failures) <= 4
    assert found.committed + len(found.failures) == 25
    again = wholecloth("run", path)
    assert again.returncode == 0, again.stderr


@pytest.mark.nightly("kills")
def test_storage_that_goes_away_ends_the_run_to_be_run_again(tmp_path: Path) -> None:
    path = config(tmp_path, execution={"engine": "threads", "workers": 3, "read_timeout": "2s"})
    done = wholecloth("run", path, fault="away")
    assert done.returncode == 75, done.stderr
    said_once(done, f"reads of {tmp_path / 'scene.tif'} hang", "run the same command again")
    committed = status(tmp_path / "job.zarr").committed
    again = wholecloth("run", path)
    assert again.returncode == 0, again.stderr
    assert f"({committed} before this run" in again.stdout


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_machines_are_told_in_lines_of_json_whatever_the_end(tmp_path: Path) -> None:
    path = config(tmp_path, execution={"engine": "threads", "workers": 2, "read_timeout": "2s", "retries": 0})
    failed = lines(wholecloth("run", path, "--log-format", "json", fault="place"), 1)
    assert [entry["event"] for entry in failed][-1] == "error"
    blocks = [entry for entry in failed if entry["event"] == "block failed"]
    assert [0, 0] in [entry["block"] for entry in blocks]
    assert all("execution.read_timeout" in entry["why"] for entry in blocks)
    report = next(entry for entry in failed if entry["event"] == "report")
    assert (report["complete"], report["failed"]) == (False, len(blocks))
    assert json.loads(Path(report["report"]).read_text())["complete"] is False
    whole = wholecloth("run", path, "--set", "output.certificate=true", "--log-format=json")
    told = lines(whole, 0)
    main = [entry for entry in told if entry["event"] not in ("note", "blocks", "log")]
    assert [entry["event"] for entry in main] == [
        "planned",
        "resumed",
        "stage",
        "report",
        "stage",
        "certificate",
        "done",
    ]
    planned, done = main[0], main[-1]
    assert (planned["blocks"], planned["block"], planned["resumes"]) == (25, 128, True)
    assert planned["memory_projected"] < planned["memory_budget"]
    assert [entry["stage"] for entry in told if entry["event"] == "stage"] == ["overviews", "certificate"]
    assert (done["exit_code"], done["report"]) == (0, str(tmp_path / "job.report.json"))
    assert f"report: {done['report']}" in whole.stdout
    for args, words in ((("run", "nowhere.yaml"), "nowhere.yaml"), (("run",), "CONFIG")):
        (wrong,) = lines(wholecloth(*args, "--log-format", "json"), 2)
        assert (wrong["event"], wrong["level"], wrong["exit_code"]) == ("error", "error", 2)
        assert words in wrong["message"]
    (shown,) = lines(wholecloth("--debug", "run", "nowhere.yaml", "--log-format", "json"), 2)
    assert "Traceback" in shown["traceback"]
    checked = wholecloth("verify", tmp_path / "job.zarr", "--log-format", "json")
    assert lines(checked, 0)[-1]["passed"] is True


def lines(done: subprocess.CompletedProcess[str], code: int) -> list[dict[str, Any]]:
    assert done.returncode == code, done.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "event"} <= entry.keys() for entry in found)
    return found


@pytest.mark.nightly("kills")
@pytest.mark.slow
def test_a_signal_is_told_in_json_too(tmp_path: Path) -> None:
    path = config(tmp_path, 1000, tile={"size": 20})
    command = [sys.executable, "-m", "pipeline", "run", str(path), "--log-format", "json"]
    job = commands.Command(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ledger = tmp_path / "job.zarr" / "0" / "mask" / "ledger"
    job.wait_for(lambda: list(ledger.rglob("*.json")))
    os.kill(job.pid, signal.SIGTERM)
    _, said = job.communicate(timeout=120)
    last = json.loads(said.splitlines()[-1])
    assert (job.returncode, last["exit_code"], last["level"]) == (75, 75, "warning")
    assert "SIGTERM" in last["message"]


def caught() -> None:
    """A network, a codec or a reader may raise anything, so that whatever they raise is caught."""
    try:
        time.sleep(60)
    except Exception:
        os.write(2, b"the network failed")


def broken() -> None:
    """What is closed in the midst of something may complain."""
    try:
        time.sleep(60)
    finally:
        raise OSError("closed already")


@pytest.mark.parametrize("work", [caught, broken])
def test_what_stops_a_run_is_no_error_and_hides_those_that_it_makes(
    work: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[int] = []
    monkeypatch.setattr(exits, "_leave", told.append)

    def works() -> None:
        with exits.time_limit(1e-9):
            work()

    exits.run_and_exit(works)
    assert told == [75]
    os.kill(os.getpid(), signal.SIGTERM)  # by now a second one changes nothing
    assert capfd.readouterr().err == f"Stopped: the 1e-09 s of execution.stop_after are over. {exits.RERUN_ADVICE}\n"


def exit_code(monkeypatch: pytest.MonkeyPatch, error: Exception) -> object:
    """Of a command in this process that raises."""

    def command() -> int:
        raise error

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as left:
        exits.run_and_exit(command)
    return left.value.code


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 4294967296 bytes."
        ),
    ],
)
def test_a_machine_that_gives_no_more_memory_or_threads_is_no_bug_of_ours(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, error) == 75
    said = capsys.readouterr().err
    assert "no more memory, or threads" in said
    assert "run the same command again" in said


def test_whatever_else_is_raised_is_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, OSError(errno.EIO, "Input/output error")) == 70
    assert "A bug of ours: OSError: [Errno 5] Input/output error." in capsys.readouterr().err


def test_the_timer_stops_what_is_under_way_and_is_off_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.resources.process_age", lambda: 100.0)
    for seconds in (100.05, 3.0):  # soon, and over already
        with pytest.raises(exits.Stop), exits.time_limit(seconds):
            time.sleep(60)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with exits.time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with exits.time_limit(1000.0):
        assert 800 < signal.getitimer(signal.ITIMER_REAL)[0] <= 900
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(exits, "_received", [])
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
