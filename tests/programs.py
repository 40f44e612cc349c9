"""Programs that nightly tests need, and who brings them.

``python -m tests.programs [GROUP …]`` names those that are missing, and fails.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = {
    "kills": {"ip": "iproute2", "mount": "mount"},
    "compile": {"g++": "g++"},
    "slurm": {"sbatch": "slurm-wlm", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "munged": "munge"},
    "clocks": {"libfaketime": "libfaketime"},
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
    found = (
        Path(python).exists()
        and subprocess.run([python, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0
    )
    return python if found else None


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
