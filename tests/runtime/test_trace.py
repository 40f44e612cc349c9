"""Traces as a viewer reads them: of real runs, of killed ones, and of files that are none."""

from __future__ import annotations

import errno
import itertools
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.clock import Interval, Timing
from pipeline.runtime.progress import Progress
from pipeline.runtime.trace import open_trace
from pipeline.store.overviews import levels
from tests import scenes
from tests.commands import Command

Events = list[dict[str, Any]]


def traced(config: Path, path: Path, fresh: bool = False) -> tuple[Report, Events]:
    job = prepare_job(load_config(config), fresh)
    with open_trace(path) as trace, Progress() as progress:
        report = execute(job, progress, fresh, trace)
    return report, json.loads(path.read_text())


def slices(events: Events, name: str) -> Events:
    return [event for event in events if event["ph"] == "X" and event["name"] == name]


def block(event: dict[str, Any]) -> tuple[int, int]:
    return event["args"]["row"], event["args"]["col"]


def assert_nested(events: Events) -> None:
    """Of each lane: a slice lies inside the one that is open, or after it."""
    lanes = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0
            assert event["ts"] >= 0
            lanes[event["pid"], event["tid"]].append((event["ts"], -event["dur"]))
    for lane in lanes.values():
        stack: list[int] = []
        for start, minus in sorted(lane):
            while stack and stack[-1] <= start:
                stack.pop()
            assert not stack or start - minus <= stack[-1]
            stack.append(start - minus)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("engine", "tile"),
    [("serial", {}), ("threads", {"size": 96}), ("threads", {"size": 64, "overlap": 0.5, "batch": 2})],
)
def test_a_trace_of_a_run_nests_and_agrees_with_the_report(tmp_path: Path, engine: str, tile: dict[str, Any]) -> None:
    config = scenes.config(tmp_path, tile=tile, execution={"engine": engine, "workers": 3})
    report, events = traced(config, tmp_path / "trace.json")
    assert_nested(events)
    asked = {(row, col) for row in range(3) for col in range(4)}
    for name in ("block", "read", "checksum", "wait for device", "device", "write", "commit"):
        found = [event for event in slices(events, name) if event["cat"] == "block"]
        assert {block(event) for event in found} == asked
        assert len({event["tid"] for event in found} & {1}) == (name == "device")
    assert {event["tid"] for name in ("normalise", "network", "decode") for event in slices(events, name)} == {1}
    assert report.device is not None
    busy = sum(event["dur"] for event in slices(events, "device")) / 1e6
    assert busy == pytest.approx(report.device.busy * report.device.seconds, abs=12e-6 + 1e-3)
    assert report.device.busy + sum(report.device.waits.values()) == pytest.approx(1)
    for name, share in report.device.work.items():
        assert name == "other" or share * report.device.seconds == pytest.approx(
            sum(event["dur"] for event in slices(events, name)) / 1e6, abs=1e-3
        )
    assert json.loads((tmp_path / "job.report.json").read_text())["device"]["waits"].keys() == {
        "start",
        "read",
        "write",
        "schedule",
        "end",
    }


@pytest.mark.slow
def test_each_of_several_streams_of_tiles_has_a_lane(tmp_path: Path) -> None:
    config = scenes.config(tmp_path, tile={"size": 96}, execution={"engine": "threads", "streams": 2})
    report, events = traced(config, tmp_path / "trace.json")
    assert_nested(events)
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {names[event["tid"]] for event in slices(events, "device")} <= {"device", "device 2"}
    assert {name.split(" ")[0] for name in names.values()} == {"device", "worker"}
    lanes = {event["tid"] for event in slices(events, "device")}
    busy = sum(event["dur"] for event in slices(events, "device")) / 1e6 / len(lanes)
    assert report.device is not None
    assert busy == pytest.approx(report.device.busy * report.device.seconds, abs=12e-6 + 1e-3)
    assert report.device.busy + sum(report.device.waits.values()) == pytest.approx(1)


@pytest.mark.slow
def test_blocks_in_flight_are_counted_and_overviews_are_in_it(tmp_path: Path) -> None:
    config = scenes.config(tmp_path, execution={"engine": "threads", "workers": 2})
    _, events = traced(config, tmp_path / "trace.json")
    counts = [(event["ts"], event["args"]["blocks"]) for event in events if event["ph"] == "C"]
    assert counts == sorted(counts, key=lambda of: of[0])
    assert {number for _, number in counts} == {0, 1, 2}
    assert counts[-1][1] == 0
    spec = prepare_job(load_config(config)).spec
    expected = {
        (level.task.level, index.row, index.col)
        for level in levels(tmp_path / "job.zarr", spec)
        for index in level.blocks()
    }
    found = [(event["args"]["level"], *block(event)) for event in slices(events, "overview")]
    assert sorted(found) == sorted(expected)
    assert len(found) >= 3
    assert len(counts) == 2 * (12 + len(found))
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert names.keys() == {event["tid"] for event in events if event["ph"] == "X"}
    assert names[1] == "device"
    assert all(names[event["tid"]].startswith("worker") for event in slices(events, "overview"))


@pytest.mark.slow
def test_a_block_without_a_valid_pixel_and_one_that_cannot_be_read_are_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from pipeline.errors import BlocksFailed, ReadError
    from pipeline.sources.raster import RasterSource

    scenes.write(tmp_path / "scene.tif", np.zeros((3, 128, 250), "uint16"), nodata=0)
    real = RasterSource.read

    def faulty(self: RasterSource, window: Any) -> Any:
        if window.cols.stop > 200:
            raise ReadError("away")
        return real(self, window)

    monkeypatch.setattr(RasterSource, "read", faulty)
    with pytest.raises(BlocksFailed):
        traced(scenes.config(tmp_path, execution={"retries": 0}), tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())
    assert {block(event) for event in slices(events, "block")} == {(0, 0), (0, 1)}
    assert {block(event) for event in slices(events, "commit")} == {(0, 0)}
    assert not slices(events, "device")
    device = json.loads((tmp_path / "job.report.json").read_text())["device"]
    assert device["busy"] == device["waits"]["start"] == device["waits"]["end"] == 0
    assert sum(device["waits"].values()) == pytest.approx(1)


@pytest.mark.slow
def test_a_run_with_nothing_to_do_has_a_trace_without_slices_and_no_shares(tmp_path: Path) -> None:
    config = scenes.config(tmp_path)
    traced(config, tmp_path / "trace.json")
    report, events = traced(config, tmp_path / "trace.json")
    assert [event["ph"] for event in events] == ["M"]
    assert report.device is None


@pytest.mark.slow
def test_the_trace_of_a_killed_run_lacks_no_more_than_its_end(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    config = scenes.config(tmp_path, output={"chunk": 16, "block": 16})
    run = Command(
        [sys.executable, "-m", "pipeline", "run", str(config), "--profile", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run.wait_for(lambda: path.exists() and path.stat().st_size >= 20_000)
    run.send_signal(signal.SIGKILL)
    run.wait()
    text = path.read_text()
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert_nested(json.loads(text + "]"))
    assert len(slices(json.loads(text + "]"), "block")) > 5


def timing(lane: str = "a", process: int = 7) -> Timing:
    start = time.time() + 1
    return Timing(
        kind="block",
        block=(1, 2),
        level=0,
        process=process,
        lane=lane,
        start=start,
        stop=start + 3,
        intervals=(Interval("device", start + 1, start + 2),),
    )


def test_every_process_has_its_own_lanes(tmp_path: Path) -> None:
    with open_trace(tmp_path / "trace.json") as trace:
        assert trace is not None
        trace.begin()
        for lane, process in (("a", 7), ("b", 7), ("a", 8), ("a", 7)):
            trace.add(timing(lane, process))
    events = json.loads((tmp_path / "trace.json").read_text())
    assert [(e["pid"], e["tid"]) for e in slices(events, "block")] == [(7, 2), (7, 3), (8, 2), (7, 2)]
    assert {(e["pid"], e["tid"]) for e in slices(events, "device")} == {(7, 1), (8, 1)}


def test_slices_that_touch_do_not_overlap_by_rounding(tmp_path: Path) -> None:
    start = time.time() + 1
    cuts = [start + k * 1.7e-6 for k in range(200)]
    intervals = tuple(Interval("read", a, b) for a, b in itertools.pairwise(cuts))
    with open_trace(tmp_path / "trace.json") as trace:
        assert trace is not None
        trace.begin()
        trace.add(
            Timing(
                kind="block",
                block=(0, 0),
                level=0,
                process=7,
                lane="a",
                start=start,
                stop=cuts[-1],
                intervals=intervals,
            )
        )
    events = json.loads((tmp_path / "trace.json").read_text())
    assert len(slices(events, "read")) == 199
    assert_nested(events)


class Full:
    """A file on a disk that is full: it takes nothing more, or a part."""

    def __init__(self, takes: int | None) -> None:
        self.takes, self.tries, self.closed = takes, 0, False

    def write(self, text: bytes) -> int:
        self.tries += 1
        if self.takes is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.takes

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("takes", "why"), [(None, "No space left on device"), (5, "the disk is full")])
def test_a_disk_that_is_full_ends_the_trace_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: int | None, why: str
) -> None:
    path, full = tmp_path / "trace.json", Full(takes)
    with open_trace(path) as trace:
        assert trace is not None
        trace.begin()
        assert trace.summary == str(path)
        trace._file.close()
        monkeypatch.setattr(trace, "_file", full)
        trace.add(timing())
        trace.add(timing())
    assert trace.summary == f"{path}, which ends early ({why})"
    assert (full.tries, full.closed) == (1, True)


@pytest.mark.parametrize(
    "what", ["a folder", "in a folder that is not there", "a file of somebody", "a file of somebody in JSON"]
)
def test_a_file_that_cannot_be_written_is_refused_by_the_option_and_left_alone(tmp_path: Path, what: str) -> None:
    path = tmp_path / "there"
    if what == "a folder":
        path.mkdir()
    elif what == "in a folder that is not there":
        path = path / "trace.json"
    else:
        path.write_text("[\n{}]" if "JSON" in what else "keep me")
    before = path.read_text() if path.is_file() else None
    with pytest.raises(ConfigError, match=r"--profile is .*there.*Give (another|a) file"), open_trace(path):
        raise AssertionError("it was not refused")
    assert (path.read_text() if path.is_file() else None) == before


def test_a_run_that_is_refused_leaves_no_file_and_no_trace_undone(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with pytest.raises(KeyError), open_trace(path):
        raise KeyError
    assert not path.exists()
    with open_trace(path) as trace:
        assert trace is not None
        trace.begin()
    before = path.read_text()
    with pytest.raises(KeyError), open_trace(path):
        raise KeyError
    assert path.read_text() == before
    with open_trace(None) as trace:
        assert trace is None
