"""What makes a raster this raster: another file under the same name must be noticed."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MADE_BY_READERS = (".aux.xml", ".ovr")
"""Sidecars that other programs write when they look at a raster; they change no pixel."""


def identity_of(path: str, files: list[str]) -> dict[str, Any]:
    """Path, and size and modification time of every file behind it, or the server's word for it."""
    known = [Path(name) for name in files or [path] if not name.endswith(MADE_BY_READERS)]
    local = sorted((str(file), file.stat()) for file in known if file.is_file())
    if local:
        digest = hashlib.blake2b("\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in local).encode(), digest_size=16)
        return {"path": path, "size": sum(stat.st_size for _, stat in local), "files": digest.hexdigest()}
    return {"path": path, **(_remote(path) if path.startswith(("http://", "https://")) else {})}


def _remote(url: str) -> dict[str, Any]:
    """ETag, size and date of a remote file; whatever the server leaves out is left out."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:  # noqa: S310  # http and https only
            said = {"etag": answer.headers.get("ETag"), "size": answer.headers.get("Content-Length"), "modified": answer.headers.get("Last-Modified")}
    except (urllib.error.URLError, OSError):  # GDAL may still read it, with credentials of its own
        return {}
    return {key: value for key, value in said.items() if value}
