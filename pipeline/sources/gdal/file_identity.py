"""What makes a raster this raster: another file under the same name must be noticed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.errors import PipelineError
from pipeline.redact import public
from pipeline.sources.gdal.options import ENDPOINTS

MADE_BY_READERS = (".aux.xml", ".ovr")
"""Sidecars that other programs write when they look at a raster; they change no pixel."""
ZARR = (".zarray", "zarr.json")
"""Files that describe an array of Zarr; its chunks lie beside and below them."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a server that was busy or away is asked again."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NO_HEAD = (400, 403, 405, 501)
"""Answers of servers that may still answer GET: a signature holds for one method."""
_OBJECT = re.compile(r"(?:/vsis3/|s3://)([^/]+)/([^?#]+)")


def identity_of(path: str, files: list[str]) -> dict[str, Any]:
    """Path, and size and modification time of every file behind it, or the server's word for it.

    Secrets of URLs are left out: another signature of the same object names the same raster.
    """
    known = [Path(name) for name in files or [path] if not name.endswith(MADE_BY_READERS)]
    local = sorted((str(file), file.stat()) for file in known if file.is_file())
    if local:
        digest = hashlib.blake2b("\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in local).encode(), digest_size=16)
        return {"path": path, "size": sum(stat.st_size for _, stat in local), "files": digest.hexdigest(), **_chunks(local)}
    return {"path": public(path), **_remote(path)}


def _chunks(local: list[tuple[str, os.stat_result]]) -> dict[str, str]:
    """Of an array of Zarr, all its files: GDAL names the one alone that says its shape."""
    arrays = sorted({Path(name).parent for name, _ in local if Path(name).name in ZARR})
    if not arrays:
        return {}
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        for folder, inner, names in os.walk(array):
            inner.sort()
            for name in sorted(names):
                stat = Path(folder, name).stat()
                digest.update(f"{os.path.relpath(folder, array)}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return {"chunks": digest.hexdigest()}


def _remote(path: str) -> dict[str, Any]:
    """ETag, size and date of a remote file; whatever the server leaves out is left out."""
    if path.startswith(("http://", "https://")):
        said = _headers(path)
        whole = (said.get("Content-Range") or "").rpartition("/")[2] or said.get("Content-Length")
        found = {"etag": said.get("ETag"), "size": whole, "modified": said.get("Last-Modified")}
    else:
        there = _OBJECT.fullmatch(path)
        found = _object(there[1], there[2]) if there else {}
    return {key: value for key, value in found.items() if value}


def _headers(url: str) -> Message:
    """Headers of a file, by HEAD, or by GET of its first byte where HEAD is refused; none where GDAL alone may read it, with credentials of its own."""
    for method in ("HEAD", "GET"):
        try:
            return _patiently(lambda method=method: _asked(url, method))  # type: ignore[misc]  # bound now
        except urllib.error.HTTPError as error:
            if error.code not in _NO_HEAD:
                break
        except (OSError, HTTPException):
            break
    return Message()


def _asked(url: str, method: str) -> Message:
    there = urlsplit(url)
    headers = {"Range": "bytes=0-0"} if method == "GET" else {}
    if there.username is not None:  # urllib takes it for a part of the host
        said = f"{unquote(there.username)}:{unquote(there.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(said.encode()).decode()}"
    bare = urlunsplit(there._replace(netloc=there.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, method=method, headers=headers)  # noqa: S310  # http and https only
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return answer.headers  # type: ignore[no-any-return]  # typeshed leaves it open


def _patiently(ask: Callable[[], Message]) -> Message:
    """Ask again where a server is busy or away for a moment: what it says of a file must not depend on that."""
    for pause in PAUSES_S:
        try:
            return ask()
        except urllib.error.HTTPError as error:
            if error.code not in _BUSY:
                raise
        except (OSError, HTTPException):  # no connection, or one that broke
            pass
        time.sleep(pause)
    return ask()


def _object(bucket: str, key: str) -> dict[str, Any]:
    """What S3 says of an object, where the extra ``cloud`` is installed and knows the storage that GDAL reads."""
    theirs = "AWS_S3_ENDPOINT" in os.environ and not any(os.environ.get(name) for name in ENDPOINTS)
    if theirs or importlib.util.find_spec("obstore") is None:
        return {}
    import obstore

    from pipeline.store.files.clients import client, told

    try:
        with told(f"s3://{bucket}"):
            said = obstore.head(client("s3", bucket), key)
    except (PipelineError, FileNotFoundError):  # GDAL may still read it, with credentials of its own
        return {}
    return {"etag": said["e_tag"], "size": said["size"], "modified": said["last_modified"].isoformat()}
