"""Records of cells are made once, read back as they were, and deleted without what lies beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.statistics.counting import Counting
from pipeline.statistics.records import CellRecords, delete_records, digest_of, records_place

COUNTING = Counting(kind="moments", planes=2, dtype="float32")


@pytest.fixture
def records(tmp_path: Path) -> CellRecords:
    return CellRecords(folder=records_place(tmp_path / "job.zarr") / digest_of({"raster": 1}), counting=COUNTING)


def counts(count: int) -> dict[str, np.ndarray]:
    return {**COUNTING.empty(), "count": np.array([count, count])}


def test_the_first_record_of_a_cell_stays(records: CellRecords) -> None:
    assert not records.exists(1200)
    records.commit(1200, counts(3))
    records.commit(1200, counts(4))
    read = records.read(1200)
    assert read is not None
    assert read["count"].tolist() == [3, 3]
    assert records.committed() == {1200}
    assert records.read(1201) is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", None], ids=["empty", "cut", "of another pass"])
def test_a_damaged_record_counts_for_nothing_and_goes(records: CellRecords, damage: bytes | None) -> None:
    records.commit(0, counts(3))
    (file,) = records.folder.rglob("*.npz")
    other = CellRecords(folder=records.folder, counting=Counting(kind="moments", planes=3, dtype="float32"))
    other.commit(0, other.counting.empty())
    (strange,) = (path for path in records.folder.rglob("*.npz") if path != file)
    file.write_bytes(strange.read_bytes() if damage is None else damage)
    assert records.read(0) is None
    assert not records.exists(0)


def test_files_of_others_beside_records_stay(records: CellRecords, tmp_path: Path) -> None:
    records.commit(0, counts(3))
    (tmp_path / "job.statistics" / "notes.txt").write_text("mine")
    delete_records(tmp_path / "job.zarr")
    assert [path.name for path in (tmp_path / "job.statistics").rglob("*")] == ["notes.txt"]
    (tmp_path / "job.statistics" / "notes.txt").unlink()
    delete_records(tmp_path / "job.zarr")
    assert not (tmp_path / "job.statistics").exists()
