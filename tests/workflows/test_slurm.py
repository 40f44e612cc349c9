"""The recipes for SLURM.

On a real one where it is installed, and everywhere over stand-ins for the run and for SLURM's commands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.store.status import status
from tests import scenes
from tests.faults import harness
from tests.faults.moments import GO, HELD
from tests.slurm_cluster import Slurm, slurm

__all__ = ["slurm"]

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
PYTHON = f"{sys.executable} -m pipeline"
ASKED = ("--mem=8G", "--cpus-per-task=1")


def submit(slurm: Slurm, recipe: str, *arguments: object, options: tuple[str, ...] = ASKED, **environment: str) -> str:
    """The number of a job."""
    said = {**slurm.environment, "PYTHONPATH": str(harness.ROOT), "WHOLECLOTH": PYTHON, **environment}
    command = [
        "sbatch",
        "--parsable",
        f"--output={slurm.folder}/%j.out",
        *options,
        str(WORKFLOWS / recipe),
        *map(str, arguments),
    ]
    done = subprocess.run(command, env=said, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def until(passed: Callable[[], bool]) -> None:
    end = time.monotonic() + 180
    while not passed():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


@pytest.mark.nightly("slurm")
def test_a_job_of_slurm_ends_with_a_whole_store(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, "slurm.sbatch", scenes.config(tmp_path), "--set", "execution.retries=1")
    assert slurm.wait(job) == "COMPLETED", (slurm.folder / f"{job}.out").read_text()
    assert status(tmp_path / "job.zarr").complete


def held(slurm: Slurm, folder: Path) -> str:
    """A job that is held in mid-run."""
    scenes.scene(folder / "scene.tif")
    path = harness.config(folder, folder / "scene.tif")
    said = {"WHOLECLOTH": f"{sys.executable} {harness.HERE / 'held.py'}", "FAULT_AT": f"commit:4:{folder}"}
    job = submit(slurm, "slurm.sbatch", path, **said)
    until(lambda: (folder / HELD).exists() or not slurm.jobs())
    return job


@pytest.mark.nightly("slurm")
def test_a_job_whose_walltime_nears_is_queued_again_and_goes_on(slurm: Slurm, tmp_path: Path) -> None:
    job = held(slurm, tmp_path)
    slurm.said("scancel", "--batch", "--signal=TERM", job)  # as --signal=B:TERM@120 does
    until(lambda: "Restarts=1" in slurm.said("scontrol", "show", "job", job, "-o"))
    until(lambda: job in slurm.jobs("pending"))
    (tmp_path / GO).touch()
    # SLURM lets two minutes pass; at once, its node still takes the job for killed
    slurm.said("scontrol", "update", f"JobId={job}", "StartTime=now+5")
    ended, log = slurm.wait(job), (slurm.folder / f"{job}.out").read_text()
    assert ended == "COMPLETED", log + slurm.logs()
    assert "Stopped by SIGTERM" in log
    assert "the job is queued again" in log
    assert "4 of 12 blocks are committed already" in log
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.nightly("slurm")
def test_a_job_that_is_cancelled_stays_so_and_another_goes_on(slurm: Slurm, tmp_path: Path) -> None:
    job = held(slurm, tmp_path)
    slurm.said("scancel", job)
    assert slurm.wait(job) == "CANCELLED"
    assert "Restarts=0" in slurm.said("scontrol", "show", "job", job, "-o")
    assert status(tmp_path / "job.zarr").committed == 4
    assert slurm.wait(submit(slurm, "slurm.sbatch", tmp_path / "job.yaml")) == "COMPLETED"
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.nightly("slurm")
def test_the_tasks_of_an_array_and_the_job_that_waits_for_them_make_a_whole_store(slurm: Slurm, tmp_path: Path) -> None:
    array = submit(slurm, "slurm_array.sbatch", scenes.config(tmp_path), options=(*ASKED, "--array=1-3"))
    last = submit(
        slurm, "slurm_finish.sbatch", tmp_path / "job.zarr", options=(*ASKED, f"--dependency=afterany:{array}")
    )
    assert slurm.wait(last) == "COMPLETED", (slurm.folder / f"{last}.out").read_text()
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.nightly("slurm")
def test_the_finishing_job_fails_with_75_where_a_share_is_missing(slurm: Slurm, tmp_path: Path) -> None:
    done = subprocess.run(
        [*PYTHON.split(), "run", str(scenes.config(tmp_path)), "--shard", "1/2"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    job = submit(slurm, "slurm_finish.sbatch", tmp_path / "job.zarr")
    assert slurm.wait(job) == "FAILED"
    assert "ExitCode=75:0" in slurm.said("scontrol", "show", "job", job, "-o")
    assert not status(tmp_path / "job.zarr").complete


def stand_ins(folder: Path, state: str) -> dict[str, str]:
    """SLURM's commands, which say a state and write down what is asked of them."""
    for name, does in (("squeue", f"echo {state}"), ("scontrol", f'echo "$@" >> {folder / "asked"}')):
        (folder / name).write_text(f"#!/usr/bin/env bash\n{does}\n")
        (folder / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "12",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_MEM_PER_NODE": "1000",
    }


@pytest.mark.parametrize(("recipe", "shard"), [("slurm.sbatch", ""), ("slurm_array.sbatch", " --shard auto")])
@pytest.mark.parametrize(
    ("code", "state", "restarts", "queued"),
    [
        (0, "RUNNING", "", False),
        (75, "RUNNING", "", True),
        (75, "RUNNING", "99", True),
        (75, "RUNNING", "100", False),
        (75, "COMPLETING", "", False),
    ]
    + [(code, "RUNNING", "", False) for code in (1, 2, 3, 4, 70, 137)]
    + [(143, "RUNNING", "", True)],
)
def test_only_what_is_unfinished_is_queued_again(
    tmp_path: Path, recipe: str, shard: str, code: int, state: str, restarts: str, queued: bool
) -> None:
    stand_in = tmp_path / "stand_in.sh"
    stand_in.write_text(f'echo "$@" > {tmp_path / "run"}\nexit {code}\n')
    env = {**stand_ins(tmp_path, state), "WHOLECLOTH": f"bash {stand_in}", "SLURM_RESTART_COUNT": restarts or "0"}
    done = subprocess.run(
        ["bash", str(WORKFLOWS / recipe), "a b.yaml", "--set", "x=1 2"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (tmp_path / "run").read_text() == f"run a b.yaml{shard} --set execution.memory=900MiB --set x=1 2\n"
    assert (tmp_path / "asked").exists() == queued
    if queued:
        assert (tmp_path / "asked").read_text() == "requeue 12\n"
        assert (done.returncode, "queued again" in done.stderr) == (0, True)
    else:
        assert done.returncode == code


@pytest.mark.parametrize("recipe", ["slurm.sbatch", "slurm_array.sbatch"])
def test_sigterm_is_handed_on_and_the_run_is_waited_for(tmp_path: Path, recipe: str) -> None:
    stand_in = tmp_path / "stand_in.sh"
    stand_in.write_text(f"trap 'sleep 0.5; exit 75' TERM\ntouch {tmp_path / 'begun'}\nwhile :; do sleep 0.05; done\n")
    env = {**stand_ins(tmp_path, "RUNNING"), "WHOLECLOTH": f"bash {stand_in}"}
    job = subprocess.Popen(["bash", str(WORKFLOWS / recipe), "a.yaml"], env=env, stderr=subprocess.PIPE, text=True)
    until(lambda: (tmp_path / "begun").exists())
    for _ in range(2):
        job.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert "queued again" in job.communicate(timeout=60)[1]
    assert (tmp_path / "asked").read_text() == "requeue 12\n"


def test_the_finishing_job_gives_its_store_and_its_exit_code_on(tmp_path: Path) -> None:
    stand_in = tmp_path / "stand_in.sh"
    stand_in.write_text(f'echo "$@" > {tmp_path / "run"}\nexit 75\n')
    recipe, env = str(WORKFLOWS / "slurm_finish.sbatch"), {**os.environ, "WHOLECLOTH": f"bash {stand_in}"}
    assert subprocess.run(["bash", recipe, "out/a b.zarr", "--json"], env=env, timeout=60).returncode == 75
    assert (tmp_path / "run").read_text() == "finish out/a b.zarr --json\n"
    assert "usage" in subprocess.run(["bash", recipe], env=env, capture_output=True, text=True, timeout=60).stderr
