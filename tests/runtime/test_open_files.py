"""A scheduler may hold as many files as the system lets it."""

from __future__ import annotations

import pytest

from pipeline.engines.dask import cluster_settings
from pipeline.runtime.open_files import OPEN_FILES_LIMITS, raise_open_files_limit

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((256, 1024), [(1024, 1024)]),
        ((256, 10**9), [(OPEN_FILES_LIMITS[0], 10**9)]),
        ((256, resource.RLIM_INFINITY), [(OPEN_FILES_LIMITS[0], resource.RLIM_INFINITY)]),
        ((1024, 1024), []),
        ((10**9, 10**9), []),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), []),
    ],
)
def test_the_limit_is_raised_as_far_as_it_goes(
    limits: tuple[int, int], expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    raise_open_files_limit()
    assert asked == expected


def test_a_limit_that_may_not_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", refuses)
    raise_open_files_limit()


def test_a_system_that_refuses_what_it_calls_infinite_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[int] = []

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > 24_576:
            raise ValueError("current limit exceeds maximum limit")
        granted.append(wanted[0])

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    raise_open_files_limit()
    assert granted == [OPEN_FILES_LIMITS[1]]


def test_engines_with_workers_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(cluster_settings, "raise_open_files_limit", lambda: asked.append(True))
    with cluster_settings.dask_settings():
        assert asked == [True]
