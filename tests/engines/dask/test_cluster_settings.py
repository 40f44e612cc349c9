from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import dask
import pytest

from pipeline.engines.dask import cluster_settings
from pipeline.engines.dask.cluster_settings import DASK_ENV_TO_CLEAR, cluster_control, dask_settings, worker_environment
from pipeline.interfaces import EngineOptions


def test_workers_get_what_changes_how_they_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in cluster_settings.INHERITED_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert worker_environment(EngineOptions()) == {}
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert worker_environment(EngineOptions(threads=3)) == {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "3"}


def test_dask_is_kept_from_setting_threads_and_the_allocator() -> None:
    from distributed import nanny

    with dask_settings():
        assert not set(nanny._get_env_variables("distributed.nanny.pre-spawn-environ")) & set(DASK_ENV_TO_CLEAR)
    assert set(nanny._get_env_variables("distributed.nanny.pre-spawn-environ")) >= set(DASK_ENV_TO_CLEAR)
    assert dask.config.get("distributed.deploy.lost-worker-timeout") == "15s"
    assert os.environ.get("MALLOC_TRIM_THRESHOLD_") is None


class Jobs:
    """A cluster of jobs that come and go."""

    def __init__(self, *names: str, group: list[str] | None = None) -> None:
        self.worker_spec = {name: {"group": group} if group else {} for name in names}
        self.closed: list[str] = []
        self.started: list[str] = []
        self.gone: list[set[str]] = []
        self.workers = {name: self._job(name) for name in names}
        self.scheduler = SimpleNamespace(workers={})
        self.loop = SimpleNamespace(add_callback=lambda what, *given: asyncio.run(what(*given)))

    @property
    def plan(self) -> set[str]:
        return set(self.worker_spec)

    def there(self, *names: str) -> None:
        self.scheduler.workers = {f"tcp://{name}": SimpleNamespace(name=name) for name in names}

    async def _correct_state(self) -> None:
        for name in set(self.worker_spec) - set(self.workers):
            self.workers[name] = self._job(name)
            self.started.append(name)

    async def scale_down(self, names: list[str]) -> None:
        self.gone.append(set(names))

    def _job(self, name: str) -> Any:
        async def close() -> None:
            self.closed.append(name)

        return SimpleNamespace(close=close)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = [0.0]
    monkeypatch.setattr(cluster_settings.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("group", [None, ["-0", "-1"]])
def test_a_job_that_was_there_and_is_gone_for_long_is_asked_for_again(clock: Any, group: list[str] | None) -> None:
    jobs = Jobs("a", "b", group=group)
    keep, names = cluster_control(jobs), ["a", "b"] if group is None else ["a-0", "a-1", "b-1"]
    jobs.there(*names)
    keep.start_missing()
    jobs.there(names[0])
    for clock[0] in (cluster_settings.TTL_S - 1, cluster_settings.TTL_S + 1):
        assert jobs.started == []
        keep.start_missing()
    assert jobs.closed == jobs.started == ["b"]


def test_a_job_that_waits_in_the_queue_is_not_asked_for_twice(clock: Any) -> None:
    jobs = Jobs("a", "b")
    keep = cluster_control(jobs)
    for clock[0] in (0, 10_000, 20_000):
        jobs.there("a")
        keep.start_missing()
    assert jobs.started == []


def test_what_dask_gave_up_is_started_again(clock: Any) -> None:
    jobs = Jobs("a", "b")
    del jobs.workers["a"]
    cluster_control(jobs).start_missing()
    assert jobs.started == ["a"]


def test_a_worker_is_sent_away_by_its_name_whatever_kind_of_name_that_is(clock: Any) -> None:
    jobs = Jobs("a")
    jobs.worker_spec = {0: {}, "b": {}}  # type: ignore[dict-item]
    for name in ("0", "b", "unknown"):
        cluster_control(jobs).stop_worker(name)
    assert jobs.gone == [{0}, {"b"}]
