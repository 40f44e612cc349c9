"""The floors: a file imports only from below."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = [
    ("errors",),
    ("raster", "config", "machine", "allocator", "networks", "extras", "foreign", "log", "place", "public", "cancellation"),
    ("protocols", "samples"),
    ("plan", "report", "tapers", "load_config", "timing"),
    ("engines", "sources", "models", "locality", "store"),
    ("labels",),
    ("area",),
    ("stages", "transfer", "evaluation"),
    ("resolve", "sidecars"),
    ("inspection", "fingerprint", "lock", "progress", "suggest"),
    ("job",),
    ("describe", "freeze", "sameness", "subject", "terms", "verification", "own"),
    ("blocks", "publish", "finish"),
    ("run",),
    ("training", "cli"),
    ("__main__",),
]
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FAMILIES = {"sources", "models", "tapers", "engines"}
HEAVY = {"torch", "rasterio", "zarr", "dask", "distributed"}
FILES = sorted((ROOT / "pipeline").rglob("*.py"))


def imports(path: Path, top: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top else ast.walk(tree)
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT / "pipeline").with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_below(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in HEIGHT, f"{here} has no floor; give it one"
    for name in imports(path):
        if name.startswith("pipeline."):
            there = name.split(".")[1]
            assert there == here or HEIGHT[there] <= HEIGHT[here], f"{path.name} imports {name}, which is above it"


def test_plan_and_raster_know_no_reader_no_network_and_no_store() -> None:
    for path in FILES:
        if room(path) in ("plan", "raster"):
            assert not {name.split(".")[0] for name in imports(path)} & HEAVY, path


def test_families_do_not_import_each_other() -> None:
    for path in FILES:
        if room(path) in FAMILIES:
            others = {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")} & FAMILIES
            assert others <= {room(path)}, path


def test_the_command_line_starts_without_heavy_libraries() -> None:
    script = "import sys, pipeline.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & HEAVY
