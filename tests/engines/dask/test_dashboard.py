import importlib.util

import pytest

from pipeline.engines.dask.cluster_settings import LOOPBACK_ANY_PORT, dashboard
from pipeline.errors import ConfigError
from pipeline.interfaces import EngineOptions


def test_without_one_nothing_is_shown_and_only_this_machine_could_see_it() -> None:
    assert dashboard(EngineOptions()) == {"dashboard": False, "dashboard_address": LOOPBACK_ANY_PORT}


def test_its_address_is_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert dashboard(EngineOptions(dashboard="127.0.0.1:8787")) == {
        "dashboard": True,
        "dashboard_address": "127.0.0.1:8787",
    }


def test_its_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"wholecloth\[dashboard\]"):
        dashboard(EngineOptions(dashboard="127.0.0.1:8787"))
