"""Rasters that are read over HTTP or from object storage.

What GDAL is told for them, and nothing that the user told it already.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import AbstractContextManager, nullcontext

import rasterio
from rasterio.env import get_gdal_config
from rasterio.session import DummySession

from pipeline.redact import mask_urls

__all__ = ["REMOTE_OPTIONS", "Settings", "gdal_env", "gdal_options", "is_remote", "mask_urls"]

Settings = tuple[tuple[str, str], ...]
"""GDAL's configuration options, by name."""

_REMOTE = re.compile(
    r"(^|[/+])(https?|ftp|s3|gs|az|oss)://|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(_streaming)?[/?]"
)
_WHOLE = (".tif", ".tiff", ".vrt", ".jp2")
"""Names of files that carry all they say in themselves."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables that may hold the URL of the storage, the first that does counts."""

REMOTE_OPTIONS: Settings = (
    ("GDAL_HTTP_MERGE_CONSECUTIVE_RANGES", "YES"),  # blocks that lie one behind the other come by one request
    ("GDAL_HTTP_MULTIPLEX", "YES"),  # where the server speaks HTTP/2
    ("GDAL_INGESTED_BYTES_AT_OPEN", "32768"),  # header and first tags of a COG by one request
    # bytes, of the process: headers; blocks are decoded once and need no second copy
    ("CPL_VSIL_CURL_CACHE_SIZE", str(16 * 2**20)),
    ("GDAL_HTTP_CONNECTTIMEOUT", "15"),  # s
    ("GDAL_HTTP_LOW_SPEED_LIMIT", "1000"),  # bytes/s: a slow line is waited for, a dead one is not
    ("GDAL_HTTP_LOW_SPEED_TIME", "30"),  # s
    ("GDAL_HTTP_TIMEOUT", "300"),  # s, of a whole request
    ("GDAL_HTTP_MAX_RETRY", "4"),
    ("GDAL_HTTP_RETRY_DELAY", "0.5"),  # s, about doubled by each try
)

REQUEST = "GDAL_HTTP_TIMEOUT"
_TIMEOUT_OPTIONS = ("GDAL_HTTP_CONNECTTIMEOUT", "GDAL_HTTP_LOW_SPEED_TIME")
"""Options that are times, s, and need never be longer than a whole request."""


def is_remote(path: str) -> bool:
    """Whether a file is read over the net."""
    return _REMOTE.search(path) is not None


def gdal_options(path: str, parts: list[str], timeout: float | None = None) -> Settings:
    """What GDAL is told for a raster.

    Local sidecars (masks, world files) are found by listing the folder, which a server answers slowly or not at all:
    folders are not listed where everything is remote. GDAL still asks for sidecars by name, unless the file carries all
    in itself.

    Parameters
    ----------
    path
        Of the raster.
    parts
        Files that it is put together from, if any.
    timeout
        ``execution.read_timeout``, s, which a request may take as well; None for GDAL's own measure of it.
    """
    names = [path, *parts]
    if not any(map(is_remote, names)):
        return ()
    storage = _s3_options() if any(map(_on_s3, names)) else ()
    if not is_remote(path) and not all(map(is_remote, parts)):
        return (*_remote_options(timeout), *storage)
    whole = all(name.partition("?")[0].lower().endswith(_WHOLE) for name in names)
    return (("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR" if whole else "TRUE"), *_remote_options(timeout), *storage)


def _remote_options(timeout: float | None) -> Settings:
    if timeout is None:
        return REMOTE_OPTIONS
    whole_seconds = math.ceil(timeout)  # GDAL reads some of them as whole seconds
    times = {
        REQUEST: str(whole_seconds),
        **{name: str(min(int(value), whole_seconds)) for name, value in REMOTE_OPTIONS if name in _TIMEOUT_OPTIONS},
    }
    return tuple((name, times.get(name, value)) for name, value in REMOTE_OPTIONS)


def _on_s3(path: str) -> bool:
    return "s3://" in path or "/vsis3" in path


def _s3_options() -> Settings:
    """What the environment says of S3 in the words of Amazon's tools, in GDAL's words: both reach the same storage so.

    Credentials have one name for both.
    """
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    scheme, _, host = endpoint.partition("://")
    virtual_hosting = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() == "true"
    options: Settings = ()
    if host and get_gdal_config("AWS_S3_ENDPOINT") is None:
        options = (
            ("AWS_S3_ENDPOINT", host.rstrip("/")),
            ("AWS_HTTPS", "NO" if scheme == "http" else "YES"),
            ("AWS_VIRTUAL_HOSTING", "TRUE" if virtual_hosting else "FALSE"),
        )
    return (
        (*options, ("AWS_NO_SIGN_REQUEST", "YES"))
        if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1")
        else options
    )


def gdal_env(options: Settings) -> AbstractContextManager[object]:
    """GDAL told so, in this thread; what the user has set in the environment, or around us, stays."""
    if not options:
        return nullcontext()
    unset = {key: value for key, value in options if get_gdal_config(key) is None}
    # credentials were found when the file was opened; rasterio looks for every read
    env: AbstractContextManager[object] = rasterio.Env(DummySession(), **unset)
    return env
