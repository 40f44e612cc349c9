"""Checksums of all files of a store, and what two lists of them differ in."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

Checksums = dict[str, str]
"""SHA-256 by the path of a file below the folder of results."""
ATTRIBUTE = "wholecloth"
"""Of the root: how the store was made."""
PASSED_OVER = ("id", "version", "versions")
"""Keys of that attribute that name one making of the store, or the releases of libraries."""
MEASURED = ("libraries", "activations")
"""Keys of its ``costs``: memory that was measured when the plan was made, which no two processes take alike."""
METADATA = ("zarr.json", ".zattrs", ".zarray", ".zgroup", ".zmetadata")


def checksums(folder: Path) -> Checksums:
    """Of the stores below a folder, and of the VRT and the picture beside them; reports hold times and are left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".report.json"))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(settled(path.name, path.read_bytes())).hexdigest()
        for path in files
    }


def settled(name: str, data: bytes) -> bytes:
    """The bytes of a file without what differs between two makings of one store."""
    if name in METADATA:
        return json.dumps(without(json.loads(data)), sort_keys=True).encode()
    if name.endswith(".zip"):  # the files of the empty store, on object storage
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return b"".join(
                entry.encode() + settled(entry.rpartition("/")[2], packed.read(entry))
                for entry in sorted(packed.namelist())
            )
    return data


def without(document: Any) -> Any:
    """A metadata document without the keys that are passed over."""
    if isinstance(document, list):
        return [without(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    cut = {key: without(value) for key, value in document.items()}
    if isinstance(attribute := cut.get(ATTRIBUTE), dict):
        cut[ATTRIBUTE] = {key: value for key, value in attribute.items() if key not in PASSED_OVER}
        cut[ATTRIBUTE]["costs"] = {
            key: value for key, value in attribute.get("costs", {}).items() if key not in MEASURED
        }
    return cut


def differences(before: Checksums, after: Checksums) -> list[str]:
    """One sentence for each file that only one side has, or that differs."""
    missing = [f"{file} is missing after" for file in sorted(before.keys() - after.keys())]
    new = [f"{file} was not there before" for file in sorted(after.keys() - before.keys())]
    return (
        missing
        + new
        + [f"{file} differs" for file in sorted(before.keys() & after.keys()) if before[file] != after[file]]
    )


def explained(file: str, before: Path, after: Path) -> list[str]:
    """Keys by which two metadata documents differ, with both values."""
    if file.rpartition("/")[2] not in METADATA:
        return []
    old, new = (flat(without(json.loads((folder / file).read_text()))) for folder in (before, after))
    return [
        f"    {key}: {old.get(key)} before, {new.get(key)} after"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def flat(document: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of a document, by their path."""
    if not isinstance(document, dict) or not document:
        return {prefix: document}
    return {key: value for name, part in document.items() for key, value in flat(part, f"{prefix}/{name}").items()}
