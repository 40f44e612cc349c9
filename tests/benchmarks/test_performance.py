"""The benchmark in its small form: everything goes through, and nothing is said of how fast."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.performance import figures, page, table
from benchmarks.performance.ways import FORWARD

ROOT = Path(__file__).resolve().parents[2]
OURS = [
    *("wholecloth, exact", "wholecloth, tolerance 0.001", "wholecloth, bfloat16"),
    *(["wholecloth, openvino"] if importlib.util.find_spec("openvino") else []),
]
DASK = ["dask map_overlap", "dask map_overlap, memory kept"]
MONAI = [f"MONAI, {mode}{kept}" for mode in ("gaussian", "constant") for kept in ("", ", memory kept")]

pytestmark = pytest.mark.nightly("scale")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one small run leaves."""
    made = tmp_path_factory.mktemp("performance")
    (made / "page.md").write_text(f"Before.\n\n{page.BEGIN}\nformer figures\n{page.END}\n\nAfter.\n")
    options = ["--small", "--networks", "unet", "--out", str(made / "runs.json"), "--page", str(made / "page.md")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.performance", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "runs.json").read_text())


def test_the_table_has_every_row(document: dict[str, Any]) -> None:
    assert [row.name for row in figures.rows(document, "unet")] == [*OURS, *DASK, *MONAI]
    assert [ceiling.name for ceiling in figures.ceilings(document, "unet")] == [*FORWARD, "reading", "writing"]


def test_all_that_is_installed_goes_through_and_what_is_not_says_so(document: dict[str, Any]) -> None:
    said = {row.name: row.status for row in figures.rows(document, "unet")}
    assert {said[name] for name in [*OURS, *DASK]} == {"ok"}
    monai = "ok" if importlib.util.find_spec("monai") else "not installed"
    assert all(said[name].startswith(monai) for name in MONAI)


def test_ratios_are_positive_numbers(document: dict[str, Any]) -> None:
    for row in figures.rows(document, "unet"):
        if row.status == "ok":
            assert min(row.command, row.of_ceiling, row.blocks, row.worked, row.worked_blocks, row.peak) > 0
            assert row.overhead >= 1
    for row in figures.rows(document, "unet")[: len(OURS)]:
        assert min(row.own_peak, row.projected) > 0


def test_tiles_of_ours_say_what_the_whole_image_says_but_for_ties(document: dict[str, Any]) -> None:
    exact = figures.rows(document, "unet")[0]
    assert exact.pixels == 512 * 512
    assert exact.overhead > 2, "without several tiles there is nothing to see"
    assert exact.differ == 0
    assert exact.ties < 0.01 * exact.pixels


def test_the_page_has_the_tables_and_keeps_the_rest(folder: Path, document: dict[str, Any]) -> None:
    said = (folder / "page.md").read_text()
    assert said.startswith(f"Before.\n\n{page.BEGIN}\n\n")
    assert said.endswith(f"{page.END}\n\nAfter.\n")
    assert table.tables(document) in said
    assert "former figures" not in said
    assert all(f"| {name} |" in said for name in [*OURS, *DASK, *MONAI, *FORWARD, "reading", "writing"])
