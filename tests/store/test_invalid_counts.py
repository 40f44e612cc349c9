"""Invalid pixels by their cause, of the whole job, however many runs it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.run import _invalid
from pipeline.running.finish import complete_store
from pipeline.store.invalid_counts import InvalidCounts, counts
from pipeline.store.ledger import Ledger
from tests import networks, runs, scenes

HOLE = 40 * 70
"""Pixels of nodata in a scene of 100 × 150 px."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Six blocks with nodata in several of them."""
    scenes.scene(tmp_path / "scene.tif", 100, 150)
    network = scenes.script(networks.lively(networks.Twice(classes=4)), tmp_path / "net.pt")
    return scenes.config(tmp_path, model={"path": str(network)}, output={"block": 64})


def test_counts_add_up_by_cause_in_one_order() -> None:
    found = InvalidCounts()
    found.add(10, {"alpha": 2, "nodata": 1})
    found.add(5, {"nodata": 3})
    assert found.recorded() == {"pixels": 15, "invalid": {"nodata": 4, "alpha": 2}}
    assert list(found.invalid) == ["nodata", "alpha"]


@pytest.mark.slow
def test_a_resumed_run_reports_the_whole_job_beside_its_own_blocks(config: Path, tmp_path: Path) -> None:
    alone = runs.go(config)
    assert (
        alone.whole
        == {"pixels": alone.pixels, "invalid": alone.invalid}
        == {"pixels": 15000, "invalid": {"nodata": HOLE}}
    )
    ledger = Ledger(tmp_path / "job.zarr")
    for block in [(0, 0), (1, 1)]:
        ledger.drop(block)
    again = runs.go(config)
    assert (again.resumed, again.done, again.pixels < alone.pixels) == (4, 2, True)
    assert again.whole == alone.whole
    assert runs.go(config).whole == alone.whole, "also where nothing was left to do"
    said: dict[str, Any] = json.loads((tmp_path / "job.report.json").read_text())
    assert said["whole"] == alone.whole
    assert list(_invalid(again)) == [f"invalid: {HOLE:,} px nodata of 15,000 px"]


def test_shards_count_their_own_and_finish_all(config: Path, tmp_path: Path) -> None:
    parts = [runs.go(config, shard=shard).whole for shard in runs.shards(2)]
    whole = complete_store(tmp_path / "job.zarr", lambda line: None).whole
    assert whole is not None
    assert sum(part["pixels"] for part in parts if part) == whole["pixels"] == 15000
    assert sum(part["invalid"].get("nodata", 0) for part in parts if part) == whole["invalid"]["nodata"] == HOLE


@pytest.mark.slow
def test_blocks_of_earlier_releases_say_nothing_and_so_does_the_report(config: Path, tmp_path: Path) -> None:
    runs.go(config, shard=runs.shards(2)[0])
    ledger = Ledger(tmp_path / "job.zarr")
    block = next(ledger.listed())
    record = ledger.record(block)
    assert record is not None
    ledger.commit(block, {key: value for key, value in record.items() if key not in ("pixels", "invalid")})
    assert counts(ledger, [block]) is None
    report = runs.go(config)
    assert report.whole is None
    assert report.complete
    assert next(_invalid(report)).endswith("in the 3 blocks of this run; nothing is known of the 3 before it")


def test_a_damaged_record_costs_no_run_its_report(config: Path, tmp_path: Path) -> None:
    runs.go(config)
    ledger = Ledger(tmp_path / "job.zarr")
    (tmp_path / "job.zarr" / ledger.place((0, 1))).write_text("{")
    assert counts(ledger, [(0, 0)]) is not None
    assert counts(ledger, [(0, 0), (0, 1)]) is None
