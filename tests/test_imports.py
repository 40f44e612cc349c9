"""A file imports only from below: the contracts stand in pyproject.toml, under ``tool.importlinter``.

``.venv/bin/lint-imports`` checks them by hand.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scenes
from tests.house import graph, imports
from tests.house.modules import ROOT, modules

needs_linter = pytest.mark.skipif(
    importlib.util.find_spec("importlinter") is None, reason="import-linter comes with the extra dev"
)
HEAVY = {"torch", "rasterio", "zarr", "dask", "distributed"}
UNUSED_BY_RUN = (
    # other kinds of sources, and what only they read
    *(f"pipeline.sources.{kind}" for kind in ("bands", "slide", "mosaic", "stac", "zarr", "stack", "inputs", "planes")),
    *(f"pipeline.sources.{room}" for room in ("slide_files", "array_files", "band_files", "stac_items", "regrid")),
    # what other commands do, and what a config asks for
    *(f"pipeline.{room}" for room in ("train", "viewer", "preview", "quality.verify", "quality.evaluate")),
    *(f"pipeline.planning.{file}" for file in ("first_config.suggestion", "stains", "sources_of_inputs")),
    "pipeline.postprocess.passes",
    "pipeline.objects.components",
    # libraries, and parts of torch that a TorchScript network does without
    *(
        "distributed",
        "xarray",
        "pandas",
        "matplotlib",
        "rich",
        "onnx",
        "onnxruntime",
        "openvino",
        "torch_tensorrt",
        "sympy",
    ),
    *("torch._dynamo", "torch._inductor", "torch.onnx", "torch_tensorrt"),
)
"""Modules that a run of a GeoTIFF and a TorchScript network imports nothing of."""
PLANNING = ROOT / "pipeline" / "planning"
CHECK = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def check_contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a checkout.

    In a process of its own, since the check changes the path and the logging of its process.
    """
    return subprocess.run(
        [sys.executable, "-c", CHECK, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@needs_linter
@pytest.mark.skipif(not PLANNING.is_dir(), reason="the contracts name rooms that the package does not have yet")
def test_every_contract_on_imports_is_kept() -> None:
    check = check_contracts(ROOT)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.slow
@needs_linter
def test_an_import_from_above_breaks_a_contract(tmp_path: Path) -> None:
    contract = {
        "id": "rooms",
        "name": "A room imports only from below",
        "type": "layers",
        "layers": ["pipeline.cli", "pipeline.store"],
    }
    rows = [f"{key} = {value!r}" for key, value in contract.items()]
    (tmp_path / "pyproject.toml").write_text(
        "\n".join(["[tool.importlinter]", "root_package = 'pipeline'", "[[tool.importlinter.contracts]]", *rows])
    )
    for room, text in (("cli", ""), ("store", "import pipeline.cli")):
        (tmp_path / "pipeline" / room).mkdir(parents=True)
        (tmp_path / "pipeline" / room / "__init__.py").write_text(text)
    (tmp_path / "pipeline" / "__init__.py").write_text("")
    check = check_contracts(tmp_path)
    assert check.returncode == 1
    assert "pipeline.store is not allowed to import pipeline.cli" in check.stdout


def test_no_file_and_no_room_imports_itself_in_a_circle() -> None:
    assert not graph.circles(imports.file_graph(modules()))
    assert not graph.circles(imports.room_graph(modules()))


def test_the_command_line_starts_without_heavy_libraries() -> None:
    script = "import sys, pipeline.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & HEAVY


def test_a_run_imports_what_its_job_uses(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, output={"exports": "auto", "report": True}, execution={"engine": "threads"})
    script = (
        "import sys; from pipeline.cli import app; "
        f"app(['run', {str(path)!r}, '--quiet'], standalone_mode=False); print(*sys.modules)"
    )
    listed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    unused = [
        name for name in listed if any(name == unused or name.startswith(f"{unused}.") for unused in UNUSED_BY_RUN)
    ]
    assert not unused
    assert {"torch", "pipeline.sources.raster", "pipeline.reports.page"} <= set(listed)
