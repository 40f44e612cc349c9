"""The commands as a user types them, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scenes
from tests.commands import Command, wholecloth

pytestmark = pytest.mark.slow


def test_a_job_is_planned_run_and_told_of(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    planned = wholecloth("plan", path)
    assert (planned.returncode, planned.stderr) == (0, "")
    for word in ("12 of 128 px", "local, stride 4", "GDAL's cache", "projected", "× the raster's pixels"):
        assert word in planned.stdout
    assert not (tmp_path / "job.zarr").exists()
    done = wholecloth("run", path)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "job.png") in done.stdout
    said = json.loads(wholecloth("status", tmp_path / "job.zarr", "--json").stdout)
    assert {key: said[key] for key in ("blocks", "committed", "failures", "complete", "certificate", "leases")} == {
        "blocks": 12,
        "committed": 12,
        "failures": {},
        "complete": True,
        "certificate": None,
        "leases": [],
    }
    assert (said["overviews"], said["share"], said["resume"]) == ({"done": 3, "total": 3}, 1.0, False)
    assert said["size"] > 1000
    assert set(said["versions"]) == {"wholecloth", "torch"}
    for words in ("12 of 12 blocks", "to do", "nothing", "torch"):
        assert words in wholecloth("status", tmp_path / "job.zarr").stdout
    assert "verdict" in wholecloth("inspect", path).stdout


def test_a_store_is_evaluated_and_what_does_not_fit_it_is_told(tmp_path: Path) -> None:
    assert wholecloth("run", scenes.config(tmp_path)).returncode == 0
    store, mask = tmp_path / "job.zarr", scenes.whole(tmp_path)
    codes = mask.astype("int16")
    codes[:50], codes[mask == 255] = -1, 2
    labels = scenes.write(tmp_path / "labels.tif", codes[None])
    done = wholecloth("evaluate", store, "--labels", labels, "--ignore", -1, "--json", "-")
    said = json.loads(done.stdout)
    assert said["pixels"] == {"labelled": 250 * 420, "nodata": int((mask[50:] == 255).sum()), "ignored": 0}
    assert said["accuracy"] == pytest.approx((mask[50:] != 255).mean())
    assert [row["name"] for row in said["classes"]] == ["a", "b", "c", "d"]
    for args, words in (
        (("--labels", labels), "--ignore -1"),
        (("--labels", tmp_path / "nowhere.gpkg"), "does not exist"),
        ((), "--labels"),
    ):
        wrong = wholecloth("evaluate", store, *args)
        assert wrong.returncode == 2
        assert words in wrong.stderr
        assert len(wrong.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("run", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("run",), 2, "CONFIG"),
        (("runn",), 2, "runn"),
        (("status", "nowhere.zarr"), 2, "not a store of ours"),
        (("sample", "moon", "out"), 2, "sample://satellite"),
    ],
)
def test_mistakes_get_their_exit_code_and_one_paragraph(args: tuple[str, ...], code: int, words: str) -> None:
    done = wholecloth(*args)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_budget_that_cannot_hold_the_job_exits_3(tmp_path: Path) -> None:
    done = wholecloth("run", scenes.config(tmp_path), "--set", "execution.memory=64MiB")
    assert done.returncode == 3
    assert "execution.memory" in done.stderr
    assert not (tmp_path / "job.zarr").exists()


def test_a_run_tells_what_its_device_did_and_where_its_trace_is_and_refuses_one_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    path = scenes.config(tmp_path)
    wrong = wholecloth("run", path, "--profile", tmp_path / "nowhere" / "trace.json")
    assert wrong.returncode == 2
    assert "--profile is" in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "job.zarr").exists()
    done = wholecloth("run", path, "--profile", tmp_path / "trace.json")
    assert done.returncode == 0, done.stderr
    assert f"profile: {tmp_path / 'trace.json'}" in done.stdout
    assert re.search(
        r"^device: busy \d+ % of \d+\.\d s \(.*network \d+ %.*; waited for .*writing \d+ %", done.stdout, re.M
    )
    assert {event["name"] for event in json.loads((tmp_path / "trace.json").read_text())} > {
        "read",
        "device",
        "commit",
        "overview",
    }


def test_debug_shows_where(tmp_path: Path) -> None:
    assert "Traceback" in wholecloth("--debug", "run", tmp_path / "nowhere.yaml").stderr


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_stops_cleanly_and_the_job_goes_on(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    scenes.scene(tmp_path / "scene.tif", 1000, 1000)
    path = scenes.config(tmp_path, tile={"size": 80}, execution={"engine": "threads", "workers": 2})
    job = Command(
        [sys.executable, "-m", "pipeline", "run", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ledger = tmp_path / "job.zarr" / "0" / "mask" / "ledger"
    job.wait_for(lambda: list(ledger.rglob("*.json")))
    os.kill(job.pid, sent)
    _, said = job.communicate(timeout=120)
    assert job.returncode == code, said
    assert "run the same command again" in said
    assert 0 < len(list(ledger.rglob("*.json"))) < 64
    assert wholecloth("run", path).returncode == 0


SLOW = """
import os, time, torch
class Slow(torch.nn.Conv2d):
    def forward(self, x):
        open("measuring", "w").close()
        time.sleep(600)
        return super().forward(x)
def make():
    return Slow(3, 4, 1)
"""


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_does_not_wait_for_the_network_to_be_measured(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    path = scenes.config(tmp_path, model={"kind": "python", "factory": f"{tmp_path / 'slow.py'}:make", "path": None})
    job = Command(
        [sys.executable, "-m", "pipeline", "run", str(path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    job.wait_for(lambda: (tmp_path / "measuring").exists())
    os.kill(job.pid, sent)
    _, said = job.communicate(timeout=120)
    assert job.returncode == code, said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "job.zarr").exists()


def test_the_schema_is_json() -> None:
    assert json.loads(wholecloth("schema").stdout)["title"] == "Config"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_could_not_be_said_is_no_success(unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        assert subprocess.run(
            [sys.executable, "-m", "pipeline", "schema"], stdout=full, stderr=subprocess.PIPE, env=env, timeout=60
        ).returncode not in (0, -13)


def test_a_reader_that_has_seen_enough_is_no_bug() -> None:
    done = subprocess.run(
        f"{sys.executable} -m pipeline schema | head -c 10", shell=True, capture_output=True, text=True, timeout=60
    )
    assert (len(done.stdout), done.stderr) == (10, "")
