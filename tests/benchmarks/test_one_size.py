"""The cost of planning networks of one size, in its small form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.nightly("scale")
def test_the_small_form_tells_both_networks_apart(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "one_size.py"), str(tmp_path), "--small"],
        capture_output=True,
        text=True,
        check=True,
    )
    plain, squeezed = done.stdout.splitlines()[2:]
    assert plain.startswith("| convolutions alone | ")
    assert "radius 4 px" in plain
    assert "not local" in squeezed
