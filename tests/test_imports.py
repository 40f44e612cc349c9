"""Rooms import each other in no circle, families know nothing of each other, and heavy libraries have few homes."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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


def rooms() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    arrows: dict[str, set[str]] = {room(path): set() for path in FILES}
    for path in FILES:
        arrows[room(path)] |= {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")} - {room(path)}
    return arrows


def test_rooms_import_each_other_in_no_circle() -> None:
    TopologicalSorter(rooms()).prepare()  # raises CycleError


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
