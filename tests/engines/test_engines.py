import importlib.util
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from pipeline.engines import KINDS, OUT_OF_PROCESS
from pipeline.engines.dask.cluster_of_threads import cluster_of_threads
from pipeline.engines.threads import THREAD_NAME
from pipeline.errors import ConfigError
from pipeline.interfaces import EngineOptions

HERE = [kind for kind in KINDS if kind not in OUT_OF_PROCESS]
"""Engines that run in this process."""


class Work:
    """Counts how many items are worked on at once."""

    lock = threading.Lock()
    running = most = 0

    def __call__(self, item: int) -> int:
        with Work.lock:
            Work.running += 1
            Work.most = max(Work.most, Work.running)
        time.sleep(0.005)
        with Work.lock:
            Work.running -= 1
        if item == 666:
            raise KeyError("bad item")
        return item * item


@pytest.fixture(autouse=True)
def _nobody_works() -> None:
    wait_until(lambda: not threads_of_blocks())  # of the test before
    Work.running = Work.most = 0


def clients() -> list[Any]:
    """Those of this process that are open; none of them is Dask's default, which others would compute by."""
    from distributed import Client

    return [client for client in Client._instances if client.status == "running"]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("kind", HERE)
def test_every_item_is_worked_on_once_and_never_more_at_a_time_than_allowed(kind: str) -> None:
    with KINDS[kind](3) as run:
        assert sorted(run(Work(), range(40))) == [k * k for k in range(40)]
    assert 1 <= Work.most <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", HERE)
def test_items_are_taken_as_they_are_needed(kind: str) -> None:
    taken: list[int] = []

    def items() -> object:
        for k in range(10_000):
            taken.append(k)
            yield k

    with KINDS[kind](2) as run:
        outcomes = run(Work(), items())
        for _ in range(5):
            next(outcomes)
        assert len(taken) <= 5 + 2 * 2 + 1


@pytest.mark.parametrize("kind", HERE)
def test_an_error_reaches_the_caller_as_it_is(kind: str) -> None:
    with pytest.raises(KeyError, match="bad item"), KINDS[kind](2) as run:
        list(run(Work(), [1, 666, 2]))


@pytest.mark.parametrize("kind", HERE)
def test_no_items_are_no_work(kind: str) -> None:
    with KINDS[kind](2) as run:
        assert list(run(Work(), [])) == []


def test_a_dashboard_without_its_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with (
        pytest.raises(ConfigError, match=r"wholecloth\[dashboard\]"),
        KINDS["threads"](1, EngineOptions(dashboard="127.0.0.1:0")),
    ):
        pass


def test_what_others_compute_with_dask_goes_on_as_it_did() -> None:
    import dask
    from distributed.client import _get_global_client

    with KINDS["threads"](1) as run:
        list(run(abs, [1]))
        assert _get_global_client() is None
        assert dask.config.get("scheduler", None) is None


def test_nothing_listens_beyond_this_machine() -> None:
    with KINDS["threads"](1) as run:
        list(run(abs, [1]))
        listening = [c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert set(listening) <= {"127.0.0.1", "::1"}


def threads_of_blocks() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


def test_a_run_that_is_left_early_leaves_no_threads() -> None:
    with KINDS["threads"](2) as run:
        results = run(abs, range(100))
        next(results)
        assert len(threads_of_blocks()) in (2, 3)  # one or two that work, and one for Dask's scheduler
        results.close()
        wait_until(lambda: not threads_of_blocks())


def test_a_scheduler_that_cannot_start_its_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pipeline.engines.threads.ThreadPoolExecutor", lambda *_: (_ for _ in ()).throw(OSError("none"))
    )
    with pytest.raises(OSError, match="none"), KINDS["threads"](2) as run:
        list(run(abs, range(3)))


def test_a_run_that_is_left_early_waits_for_no_block() -> None:
    hangs = threading.Event()
    with KINDS["threads"](2) as run:
        results = run(lambda item: hangs.wait(60) if item else item, range(10))
        assert next(results) == 0
        results.close()
        assert threads_of_blocks()
        hangs.set()
        wait_until(lambda: not threads_of_blocks())


def test_the_scheduler_knows_of_a_few_tasks_however_many_blocks_there_are() -> None:
    with cluster_of_threads(2, EngineOptions(), window=2) as run:
        known = []
        for done, _ in enumerate(run(abs, range(20_000))):
            if not done % 100:
                client = clients()[0]
                known.append(
                    (
                        len(client.futures),
                        len(client.cluster.scheduler.tasks),
                        len(client.cluster.workers[0].state.tasks),
                    )
                )
    assert max(max(counts) for counts in known) <= 2 * 4


@pytest.mark.parametrize("kind", HERE)
def test_every_block_is_worked_on_by_the_same_object(kind: str) -> None:
    class Opened:
        """Holds what does not pickle, such as an open file."""

        handle = threading.Lock()

        def __call__(self, item: int) -> int:
            return id(self)

    work = Opened()
    work.handle = threading.Lock()
    with KINDS[kind](2) as run:
        assert set(run(work, range(50))) == {id(work)}


STARTED = """
import sys
from pipeline.engines import KINDS
from pipeline.engines.dask.cluster_of_threads import cluster_of_threads
from pipeline.engines.threads import THREAD_NAME
with KINDS["threads"](1) as run:
    list(run(abs, [1]))
print(sorted(name for name in ("bokeh", "distributed", "torch", "zarr", "rasterio") if name in sys.modules))
"""


@pytest.mark.slow
def test_neither_a_cluster_nor_what_draws_its_dashboard_is_imported_where_none_is_asked_for() -> None:
    assert (
        subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True).stdout.strip()
        == "[]"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(importlib.util.find_spec("bokeh") is None, reason="needs the extra dashboard")
def test_a_dashboard_that_is_asked_for_answers() -> None:
    with KINDS["threads"](1, EngineOptions(dashboard="127.0.0.1:0")) as run:
        list(run(abs, [1]))
        port = clients()[0].cluster.scheduler.services["dashboard"].port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=20) as page:
            assert b"bokeh" in page.read().lower()
