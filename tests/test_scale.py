import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from benchmarks.scaling import thought

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.nightly("scale")
def test_blocks_of_a_raster_of_a_million_squared_are_enumerated_one_at_a_time() -> None:
    layout = thought.layout()
    assert layout.count == 977 * 977
    tracemalloc.start()
    assert sum(1 for _ in layout.blocks()) == layout.count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000  # a list of them takes over 100 MB


@pytest.mark.nightly("scale")
def test_the_benchmark_of_scale_runs_and_fills_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "scale.py"),
        str(tmp_path / "out"),
        "--small",
        "--page",
        str(page),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    said = page.read_text()
    assert said.startswith("before\n")
    assert said.endswith("\nafter\n")
    assert "old" not in said
    for row in ("| 1024 |", "| serial | 2,000 |", "| threads | 2,000 |", "| 2,000 |", "| 4 |"):
        assert row in said
