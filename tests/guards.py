"""Which nightly groups a change asks for.

``python -m tests.guards`` prints them, from the files that changed since ``CI_BASE``.

Without ``CI_BASE``, a change is all that was committed in the twelve hours before the newest commit.
"""

from __future__ import annotations

import os
import subprocess

GUARDS = {
    "kills": (
        "pipeline/store/",
        "pipeline/engines/",
        "pipeline/inference/block_task.py",
        "pipeline/store/overviews.py",
        "pipeline/cli/exit.py",
        "pipeline/exports/",
        "pipeline/running/",
        "pipeline/sources/wrappers/read_timeout.py",
        "tests/faults/",
    ),
    "jobs": (
        "pipeline/geometry/",
        "pipeline/inference/",
        "pipeline/store/",
        "pipeline/planning/",
        "pipeline/quality/verify/",
        "pipeline/sources/",
        "pipeline/runtime/import_faults.py",
        "pipeline/running/",
        "pipeline/exports/",
        "pipeline/cli/",
        "docs/",
        "tests/commands.py",
        "tests/tiers.py",
        "tests/fork_server.py",
        "workflows/",
    ),
    "storage": (
        "pipeline/store/",
        "pipeline/sources/",
        "pipeline/locations.py",
        "pipeline/running/disk.py",
        "pipeline/running/publish.py",
        "pipeline/running/outputs.py",
        "pipeline/exports/",
        "pipeline/running/hold_store.py",
        "tests/storage_server.py",
    ),
    "networks": (
        "pipeline/inspect/",
        "pipeline/models/",
        "pipeline/planning/folding.py",
        "tests/zoo.py",
        "tests/networks/",
        "tests/inspect/locality/",
    ),
    "training": ("pipeline/train/", "tests/train/"),
    "compile": (
        "pipeline/models/torch_compile.py",
        "pipeline/planning/compiling.py",
        "pipeline/models/runtimes/",
        "pipeline/planning/runtimes/choice.py",
        "pipeline/inference/forward.py",
        "tests/planning/test_compiling.py",
    ),
    "slurm": (
        "pipeline/engines/",
        "pipeline/config/cluster.py",
        "workflows/",
        "tests/slurm_cluster.py",
        "tests/workflows/",
        "tests/engines/test_slurm.py",
    ),
    "clocks": (
        "pipeline/store/lease/",
        "pipeline/runtime/resources.py",
        "tests/faults/",
    ),
    "scale": (
        "benchmarks/",
        "pipeline/runtime/allocator.py",
        "pipeline/geometry/",
        "pipeline/inference/",
        "pipeline/planning/",
        "pipeline/running/blocks.py",
        "tests/benchmarks/",
        "tests/test_scale.py",
    ),
    "view": (
        "pipeline/viewer/",
        "pipeline/reports/",
        "pipeline/preview/",
        "pipeline/cli/view.py",
        "pipeline/store/made_here.py",
        "pipeline/store/reader.py",
        "tests/viewer/",
        "tests/reports/",
        "tests/browsing.py",
    ),
    "readers": (
        "pipeline/exports/",
        "pipeline/store/metadata.py",
        "pipeline/store/hierarchy.py",
        "tests/store/test_foreign.py",
        "tests/readers/",
        "docs/readers.md",
    ),
}
"""Beginnings of paths, by the group that tests what lies there."""
HOURS = 12


def groups(changed: list[str]) -> list[str]:
    """The groups that guard any of some paths, in the order of the table."""
    return [group for group, guarded in GUARDS.items() if any(path.startswith(guarded) for path in changed)]


def changes() -> list[str]:
    """Paths that differ from the base."""
    newest = int(git("log", "-1", "--format=%ct"))
    base = os.environ.get("CI_BASE") or git("rev-list", "-1", f"--before={newest - HOURS * 3600}", "HEAD")
    return (git("diff", "--name-only", base, "HEAD") if base else git("ls-files")).splitlines()


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    print(*groups(changes()))
