"""Medians and ratios worked out by hand, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr

from benchmarks.performance import figures, page, table
from benchmarks.performance.agreement import agreement

PLAN = {
    "arithmetic_overhead": 1.25,
    "read_amplification": 1.1,
    "precision": "float32",
    "threads": 4,
    "tile": {"size": 1000, "core": 900},
    "halo": {"px": 50, "why": "radius 50 px"},
}


def run(way: str, group: str, number: int, wall: float, **answer: Any) -> dict[str, Any]:
    return {
        "network": "net",
        "way": way,
        "group": group,
        "precision": "float32",
        "round": number,
        "status": "ok",
        "wall": wall,
        "peak": 2**30,
        "others": 0.5,
        "answer": answer,
    }


def ours(number: int, wall: float, seconds: float) -> dict[str, Any]:
    return run(
        "ours",
        "ours",
        number,
        wall,
        seconds=seconds,
        plan=PLAN,
        peak_memory=2**30,
        projected_memory=3 * 2**29,
        device={"busy": 0.9},
    )


@pytest.fixture
def document() -> dict[str, Any]:
    """10 Mpx; the network does 2 Mpx/s at its best tile, reading 20, writing 5."""
    forward = [
        run("forward", "forward", k, 9.0, rates={"512": 1.0, "1024": rate}) for k, rate in enumerate((1.5, 2.0, 9.0))
    ]
    machine = [
        run(name, "machine", k, 1.0, mpx_per_s=rate)
        for k in range(3)
        for name, rate in (("reading", 20.0), ("writing", 5.0))
    ]
    said = {
        "pixels": 10**7,
        "stride": 16,
        "radius": 50,
        "verdict": "local",
        "reference": {"labels": None, "why": "nothing fits"},
    }
    runs = [*forward, *machine, ours(0, 10.0, 8.0), ours(1, 99.0, 99.0), ours(2, 9.0, 7.0)]
    return {"networks": {"net": said}, "runs": runs}


def test_a_ceiling_is_the_median_at_the_best_tile(document: dict[str, Any]) -> None:
    found = figures.ceilings(document, "net")
    assert [(c.name, c.mpx_per_s, c.side) for c in found] == [
        ("forward", 2.0, 1024),
        ("reading", 20.0, None),
        ("writing", 5.0, None),
    ]


def test_a_row_is_worked_out_from_medians(document: dict[str, Any]) -> None:
    (row,) = figures.rows(document, "net")
    assert (row.command, row.blocks, row.overhead, row.rounds) == (1.0, 1.25, 1.25, 3)
    assert row.of_ceiling == pytest.approx(0.5)
    assert row.worked == pytest.approx(10 * 1.25 / 2 / 10)
    assert row.worked_blocks == pytest.approx(10 * 1.25 / 2 / 8)
    assert (row.projected, row.busy) == (1.5, 0.9)


def test_no_run_is_judged_by_more_than_the_slowest_ceiling(document: dict[str, Any]) -> None:
    for record in document["runs"]:
        if record["way"] == "writing":
            record["answer"]["mpx_per_s"] = 1.25
    (row,) = figures.rows(document, "net")
    assert row.of_ceiling == pytest.approx(0.8)
    assert row.worked == pytest.approx(0.625), "arithmetic goes by the network alone"


def test_a_way_that_fails_is_named_and_not_left_out(document: dict[str, Any]) -> None:
    document["runs"].append({**run("peer", "peer", 0, 3.0), "status": "stopped at 18 GiB"})
    assert "| peer | stopped at 18 GiB |" in table.runs(document, "net")


def test_a_ceiling_that_fails_is_named_and_nothing_is_judged_by_it(document: dict[str, Any]) -> None:
    document["runs"] = [
        run if run["way"] != "writing" else {**run, "status": "stopped after 9 s", "answer": {}}
        for run in document["runs"]
    ]
    assert "| writing | stopped after 9 s |" in table.ceilings(document, "net")
    assert figures.rows(document, "net")[0].of_ceiling is None


def test_a_way_that_fails_later_says_so_beside_its_figures(document: dict[str, Any]) -> None:
    document["runs"] += [
        run("peer", "peer", 0, 20.0, seconds=20.0),
        {**run("peer", "peer", 1, 3.0), "status": "stopped after 9 s"},
    ]
    assert "| peer (stopped after 9 s in some rounds) | 0.50 |" in table.runs(document, "net")


def test_notes_tell_the_most_that_tiles_can_keep(document: dict[str, Any]) -> None:
    said = table.section(document, "net")
    assert "(core/tile)² = 0.81; 0.80 of the pixels" in said
    assert "Labels were not compared: nothing fits." in said


def test_labels_at_ties_are_counted_apart(tmp_path: Path) -> None:
    labels, ties = np.zeros((4, 5), np.uint8), np.zeros((4, 5), bool)
    ties[0, 0] = True
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "ties.npy", ties)
    mask = np.full((10, 12), 7, np.uint8)
    mask[2:6, 3:8] = 0
    mask[2, 3] = mask[4, 4] = mask[5, 7] = 1
    zarr.create_array(tmp_path / "mask.zarr", data=mask)
    with rasterio.open(tmp_path / "mask.tif", "w", driver="GTiff", height=10, width=12, count=1, dtype="uint8") as out:
        out.write(mask, 1)
    said = {
        "labels": str(tmp_path / "labels.npy"),
        "ties": str(tmp_path / "ties.npy"),
        "row": 2,
        "col": 3,
        "height": 4,
        "width": 5,
    }
    for name in ("mask.zarr", "mask.tif"):
        assert agreement(tmp_path / name, said) == {"pixels": 20, "differ": 2, "ties": 1}


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Nothing here.")
    with pytest.raises(SystemExit, match="has no place for figures"):
        page.put(tmp_path / "page.md", "figures")
    assert (tmp_path / "page.md").read_text() == "Nothing here."
