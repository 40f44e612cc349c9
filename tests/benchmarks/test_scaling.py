from pathlib import Path

import pytest

from benchmarks import million_blocks
from benchmarks.scaling import listing
from benchmarks.thousand_workers import Seen, row
from pipeline.store.status import status


def test_the_store_of_many_blocks_is_one_whose_progress_is_told(tmp_path: Path) -> None:
    path, side = tmp_path / "a.zarr", 3
    spec = million_blocks.make_store(path, side)
    assert million_blocks.write_records(path, 0, range(2), side) == 6
    half = status(path)
    assert (half.committed, half.blocks, half.share) == (6, 9, 2 / 3)
    million_blocks.write_records(path, 0, range(2, 3), side)
    for level in range(1, spec.levels):
        count = -(-spec.grid.level(level).height // 1024)
        million_blocks.write_records(path, level, range(count), count)
    whole = status(path)
    assert (whole.committed, whole.share) == (9, 1.0)
    assert whole.overviews is not None
    assert whole.overviews["done"] == whole.overviews["total"] > 0


def test_pages_of_made_up_storage_hold_every_record_once() -> None:
    first, second = listing.page(32, {}), listing.page(32, {"continuation-token": ["1000"]})
    assert (first.count("<Key>"), second.count("<Key>")) == (1000, 24)
    assert "<NextContinuationToken>1000<" in first
    assert "<IsTruncated>false<" in second
    assert "<Key>a.zarr/0/mask/ledger/r00031/b00007.json<" in first
    assert "<Key>a.zarr/0/mask/ledger/r00031/b00008.json<" in second


def test_busy_is_the_share_of_time_between_the_first_end_and_the_last_start() -> None:
    seen = Seen(spans=[(0, 5), (5, 10), (1, 6), (8, 13)], began=-1, cpu_s=0.02, growth=2**20)
    assert seen.busy(2) == pytest.approx(((8 - 5) + (6 - 5)) / 2 / (8 - 5))
    assert row(seen, 2, 5) == ["2", "5", "4", "0.667", "2.0", "5.00", "1"]
