"""Archives of exported programs (``.pt2``): the programs and files in them, without reading any of them.

::

    archive/models/NAME.json             operators by name, expressions of sizes
    archive/data/weights/…               numbers; pickles where a config says so, or before torch 2.9
    archive/data/sample_inputs/NAME.pt   a pickle of tensors
    archive/data/aotinductor/…           compiled libraries
    archive/extra/…                      texts, such as a description
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.models.descriptions import archive

NETWORK = "model"
"""Name of the program that is the network."""
COMPILED_FILES = re.compile(r"(^|/)data/aotinductor/|\.(so|dll|dylib|pyd|cubin)$", re.IGNORECASE)
"""Files that a compiler made, and their sources."""
PROGRAMS = re.compile(r"(^|/)(models/(?P<name>[^/]+)\.json|serialized_exported_program\.json)$", re.IGNORECASE)
"""Programs of torch 2.8 and after, and the one of before."""


def has_program(path: Path, name: str) -> bool:
    """Whether an archive holds a program of a name."""
    return archive.is_package(path, (f"models/{name}.json",))


def programs_among(members: Iterable[str]) -> list[str]:
    """Names of the programs."""
    return [match["name"] or NETWORK for name in members if (match := PROGRAMS.search(name))]


def program_alone(path: Path, name: str) -> io.BytesIO:
    """One program of an archive as an archive of its own, in which it is named ``model``."""
    members, target = archive.members(path), io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as alone:
        for member in members:
            if (place := _place_alone(member, name)) is not None:
                alone.writestr(f"program/{place}", source.read(member))
    target.seek(0)
    return target


def _place_alone(member: str, name: str) -> str | None:
    """Where a file stands in the archive of one program; None of one that belongs to another program."""
    place = member.partition("/")[2]
    folder, _, file = place.rpartition("/")
    if folder == "models" or folder == "data/sample_inputs" or file.endswith("_config.json"):
        own = (
            file.removesuffix(".json")
            .removesuffix(".pt")
            .removesuffix("_weights_config")
            .removesuffix("_constants_config")
        )
        return f"{folder}/{file.replace(name, NETWORK, 1)}" if own == name else None
    return None if place.startswith(("extra/", "data/aotinductor/")) else place
