"""Which installed distribution a file belongs to: the one whose RECORD lists it. What none lists is the user's own."""

from __future__ import annotations

import re
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

SITES = ("site-packages", "dist-packages")
"""Folders that installers fill."""
_METADATA_FIELD = re.compile(r"^(Name|Version):\s*(.+)$", re.MULTILINE)


def site_of(file: Path) -> Path | None:
    """The folder of installed distributions that a file lies in."""
    return next((parent for parent in file.parents if parent.name in SITES), None)


def is_standard(file: Path) -> bool:
    """Whether a file belongs to Python itself."""
    folders = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    return site_of(file) is None and any(folder in file.parents for folder in folders)


@lru_cache(maxsize=4096)
def distribution(file: Path) -> tuple[str, str] | None:
    """Name and version of the distribution whose RECORD lists a file, or None.

    Parameters
    ----------
    file
        Absolute.
    """
    site = site_of(file)
    if site is None:
        return None
    listed = file.relative_to(site).as_posix()
    return next(
        (
            release
            for record, release in _records(site, listed.partition("/")[0].partition(".")[0])
            if f"\n{listed}," in record
        ),
        None,
    )


@lru_cache(maxsize=512)
def _records(site: Path, top: str) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Lines of every RECORD that are of one module or package, and whose they are."""
    rows = []
    for record in sorted(site.glob("*.dist-info/RECORD")):
        lines = [
            line
            for line in record.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.startswith((f"{top}/", f"{top}."))
        ]
        if lines:
            rows.append(("\n" + "\n".join(lines), _name_and_version(record.parent)))
    return tuple(rows)


def _name_and_version(folder: Path) -> tuple[str, str]:
    """By its METADATA, or by the folder's own name where there is none."""
    try:
        head = (folder / "METADATA").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        head = ""
    fields = dict(_METADATA_FIELD.findall(head))
    name, _, version = folder.name.removesuffix(".dist-info").partition("-")
    return fields.get("Name", name).strip(), fields.get("Version", version).strip()


def standard(top: str) -> bool:
    """Whether a name is that of a module of Python."""
    return top in sys.stdlib_module_names or top in sys.builtin_module_names
