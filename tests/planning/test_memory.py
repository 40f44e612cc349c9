"""Numbers that plans were made with: a change of any constant moves them, and frozen plans and refusals with them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pipeline
from pipeline.planning import memory
from pipeline.planning.memory import MemoryCosts
from pipeline.runtime import memory_constants
from pipeline.runtime.resources import MIB

PACKAGE = Path(pipeline.__file__).parent
COSTS = MemoryCosts(
    libraries=300 * MIB, gdal_cache=64 * MIB, raw=13, bands=4, classes=5, activations=400, output=2, fullness=0.5
)
BYTES = re.compile(r"^_?[A-Z_]+ = .*\* MIB$", re.MULTILINE)


def test_projections_keep_their_numbers() -> None:
    assert memory.projected(COSTS, frame=10_000, block=9_000, workers=3) == {
        "libraries and network": 314572800,
        "GDAL's cache": 67108864,
        "raw pixels in flight": 390_000,
        "output and its encoding": 162_000,
    }
    assert memory.device_buffers(COSTS, 1000, 2000, turned=True, probabilities=False, streams=2) == {
        "network input": 96_000,
        "activations": 1_500_000,
        "logits": 112_000,
        "sum of the blend": 80_000,
    }
    assert memory.max_probe_side(COSTS, 2**30, 2) == 825


@pytest.mark.parametrize(
    ("streams", "fullness", "factor"),
    [(1, 1.0, 2.2), (4, 1.0, 1.8625), (4, 0.5, 1.7125), (4, 0.0, 1.6), (2, 0.55, 1.925)],
)
def test_the_factor_on_tensors_keeps_its_numbers(streams: int, fullness: float, factor: float) -> None:
    assert memory.fragmentation_factor(streams, fullness) == pytest.approx(factor)


def test_every_constant_tells_what_it_stands_for() -> None:
    body = ast.parse(Path(memory_constants.__file__).read_text(encoding="utf-8")).body
    constants = [place for place, node in enumerate(body) if isinstance(node, ast.Assign)]
    assert len(constants) > 15
    assert [
        ast.unparse(body[place]) for place in constants if not isinstance(body[min(place + 1, len(body) - 1)], ast.Expr)
    ] == []


def test_bytes_that_a_plan_adds_stand_in_one_file() -> None:
    files = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if BYTES.search(path.read_text(encoding="utf-8"))
    }
    plans_nothing = {"preview/choose_window.py", "sources/lattice.py"}
    assert files - plans_nothing == {"runtime/memory_constants.py", "runtime/resources.py"}
