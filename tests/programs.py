"""Programs that nightly tests need, and who brings them.

``python -m tests.programs [GROUP …]`` names those that are missing, and fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = {
    "kills": {"ip": "iproute2", "mount": "mount"},
    "compile": {"g++": "g++"},
    "slurm": {"sbatch": "slurm-wlm", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "munged": "munge"},
    "clocks": {"libfaketime": "libfaketime"},
    "view": {"chromium": "chromium"},
    "readers": {"gdalinfo": "gdal-bin", "qgis": "python3-qgis"},
}
"""By group of `tests.tiers`: what must be there, and the package of Debian that has it."""


def is_installed(program: str) -> bool:
    """Whether this machine has a program, or a library that is no program."""
    if program == "libfaketime":
        return any(Path("/usr/lib").glob("**/libfaketime.so.1"))
    if program == "qgis":
        return python_of_qgis() is not None
    return shutil.which(program) is not None


def python_of_qgis() -> str | None:
    """The interpreter that has QGIS: Debian's own."""
    python = "/usr/bin/python3"
    return python if runs(python, "import qgis.core") else None


def interpreter(version: str) -> str | None:
    """A Python of a version such as 3.8: one of pyenv's, of uv's, or on the path."""
    homes = (
        Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions",
        Path.home() / ".local/share/uv/python",
    )
    installed = (path for home in homes for path in sorted(home.glob(f"*{version}.*/bin/python{version}")))
    candidates = [*map(str, installed), shutil.which(f"python{version}")]
    return next(
        (
            path
            for path in candidates
            if path and runs(path, f"import sys; assert sys.version.startswith('{version}.')")
        ),
        None,
    )


def runs(python: str, code: str) -> bool:
    """Whether an interpreter is there, and runs some code."""
    return (
        Path(python).exists() and subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    )


def missing(groups: list[str]) -> dict[str, str]:
    """Packages by the programs that are missing for some groups."""
    return {
        program: package
        for group in groups
        for program, package in PROGRAMS.get(group, {}).items()
        if not is_installed(program)
    }


def main(*words: str) -> str | None:
    """What is missing, as a message; with ``--packages``, print the packages instead."""
    groups = [word for word in words if word != "--packages"] or list(PROGRAMS)
    lacking = missing(groups)
    packages = " ".join(sorted(set(lacking.values())))
    if "--packages" in words:
        print(packages)
    elif lacking:
        return (
            f"The tests of {', '.join(groups)} need {', '.join(lacking)}, which this machine lacks. "
            f"Install with: apt-get install {packages}"
        )
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
