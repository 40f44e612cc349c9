from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.plan.shards import Shard
from pipeline.store.shards import unheard


def report(store: Path, index: int, count: int, age: float = 0, **said: object) -> None:
    path = store.with_suffix(f".{Shard(index=index, count=count).name}.report.json")
    path.write_text(json.dumps({"made": "one", "complete": True, **said}))
    os.utime(path, (1e9 - age, 1e9 - age))


def test_shards_that_left_no_report_or_failed_blocks_are_named(tmp_path: Path) -> None:
    store = tmp_path / "a.b.zarr"
    for index in (1, 2, 4):
        report(store, index, 5, complete=index != 2)
    assert unheard(store, "one") == (5, [2, 3, 5])


def test_without_a_report_nothing_is_known(tmp_path: Path) -> None:
    assert unheard(tmp_path / "a.zarr", "one") is None


def test_reports_of_another_store_another_number_and_broken_ones_do_not_count(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    report(store, 1, 4, age=60)
    report(store, 1, 3)
    report(store, 2, 3, made="the store that stood here before")
    report(tmp_path / "other.zarr", 3, 3)
    (tmp_path / "a.shard-003-of-003.report.json").write_text("{cut sh")
    (tmp_path / "a.shard-007-of-009.report.json.abc.partial").write_text("{}")
    assert unheard(store, "one") == (3, [2, 3])
