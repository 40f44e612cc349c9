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
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.errors import PipelineError
from pipeline.redact import redacted
from pipeline.sources.gdal.options import ENDPOINTS
from pipeline.sources.gdal.refusals import pause_of

MADE_BY_READERS = (".aux.xml", ".ovr")
"""Sidecars that other programs write when they look at a raster; they change no pixel."""
ZARR_METADATA = (".zarray", "zarr.json")
"""Files that describe an array of Zarr; its chunks lie beside and below them."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a server that was busy or away is asked again."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NO_HEAD = (400, 403, 405, 501)
"""Answers of servers that may still answer GET: a signature holds for one method."""
_PAGE = re.compile(r"GTIFF_DIR:(off:)?\d+:(/vsicurl/)?")
"""GDAL's name of a page, before that of its file."""
_OBJECT = re.compile(r"(?:/vsis3/|s3://)([^/]+)/([^?#]+)")


def identity_of(
    path: str, files: list[str], url: str | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> dict[str, Any]:
    """Path, and size and modification time of every file behind it, or the server's word for it.

    Secrets of URLs are left out: another signature of the same object names the same raster.

    Parameters
    ----------
    path
        By which the raster is known.
    files
        That GDAL names for it.
    url, headers
        How a server is asked for it, where the path alone is not enough.
    """
    paths = [Path(name) for name in files or [path] if not name.endswith(MADE_BY_READERS)]
    local = sorted((str(file), file.stat()) for file in paths if file.is_file())
    if local:
        digest = hashlib.blake2b(
            "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in local).encode(), digest_size=16
        )
        return {
            "path": path,
            "size": sum(stat.st_size for _, stat in local),
            "files": digest.hexdigest(),
            **_chunks(local),
        }
    return {"path": redacted(path), **_remote(url or _PAGE.sub("", path), headers)}


def _chunks(local: list[tuple[str, os.stat_result]]) -> dict[str, str]:
    """Of an array of Zarr, all its files: GDAL names the one alone that says its shape."""
    arrays = sorted({Path(name).parent for name, _ in local if Path(name).name in ZARR_METADATA})
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


def _remote(path: str, secrets: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """ETag, size and date of a remote file; whatever the server leaves out is left out."""
    if path.startswith(("http://", "https://")):
        headers = _headers(path, secrets)
        whole = (headers.get("Content-Range") or "").rpartition("/")[2] or headers.get("Content-Length")
        identity = {"etag": headers.get("ETag"), "size": whole, "modified": headers.get("Last-Modified")}
    else:
        match = _OBJECT.fullmatch(path)
        identity = _object(match[1], match[2]) if match else {}
    return {key: value for key, value in identity.items() if value}


def _headers(url: str, secrets: tuple[tuple[str, str], ...]) -> Message:
    """Headers of a file, by HEAD, or by GET of its first byte where HEAD is refused.

    None where GDAL alone may read it, with credentials of its own.
    """
    for method in ("HEAD", "GET"):
        try:
            return _with_retries(partial(_request_headers, url, method, secrets))
        except urllib.error.HTTPError as error:
            if error.code not in _NO_HEAD:
                break
        except (OSError, HTTPException):
            break
    return Message()


def _request_headers(url: str, method: str, secrets: tuple[tuple[str, str], ...]) -> Message:
    parts, proofs = urlsplit(url), dict(secrets)
    headers = {"Range": "bytes=0-0"} if method == "GET" else {}
    if parts.username is not None:  # urllib takes it for a part of the host
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        proofs["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    public_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(public_url, method=method, headers=headers)  # noqa: S310  # http and https only
    for name, value in proofs.items():
        request.add_unredirected_header(name, value)  # another host gets no secret
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        return response.headers  # type: ignore[no-any-return]  # typeshed leaves it open


def _with_retries(request: Callable[[], Message]) -> Message:
    """Ask again where a server is busy or away for a moment: what it says of a file must not depend on that."""
    for least in PAUSES_S:
        pause = least
        try:
            return request()
        except urllib.error.HTTPError as error:
            if error.code not in _BUSY:
                raise
            pause = max(pause, pause_of(error.headers))
        except (OSError, HTTPException):  # no connection, or one that broke
            pass
        time.sleep(pause)
    return request()


def _object(bucket: str, key: str) -> dict[str, Any]:
    """What S3 says of an object, where the extra ``cloud`` is installed and knows the storage that GDAL reads."""
    gdal_endpoint = "AWS_S3_ENDPOINT" in os.environ and not any(os.environ.get(name) for name in ENDPOINTS)
    if gdal_endpoint or importlib.util.find_spec("obstore") is None:
        return {}
    import obstore

    from pipeline.store.files.clients import client, translate_errors

    try:
        with translate_errors(f"s3://{bucket}"):
            meta = obstore.head(client("s3", bucket), key)
    except (PipelineError, FileNotFoundError):  # GDAL may still read it, with credentials of its own
        return {}
    return {"etag": meta["e_tag"], "size": meta["size"], "modified": meta["last_modified"].isoformat()}
