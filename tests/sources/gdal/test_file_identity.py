"""What a server says of a file: the same whenever it is asked, and by whatever signature."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import zarr

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from pipeline.sources.gdal import file_identity
from pipeline.sources.gdal.file_identity import identity_of


@contextmanager
def answers(*said: tuple[str, int, dict[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers so, one after another: the method it expects, a status, headers.

    Yields its URL and the methods that it was asked with.
    """
    left, asked = list(said), []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.command)
            method, status, headers = left.pop(0)
            self.send_response(status if method == self.command else 418)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/a.tif", asked
        server.shutdown()


WHOLE = {"ETag": '"7"', "Content-Length": "99", "Last-Modified": "Sat, 21 Nov 2026 18:00:00 GMT"}
KNOWN = {"etag": '"7"', "size": "99", "modified": "Sat, 21 Nov 2026 18:00:00 GMT"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_identity, "PAUSES_S", (0.01, 0.01, 0.01))


@pytest.mark.slow
@pytest.mark.parametrize("status", [503, 500, 429, 408])
def test_a_server_that_is_busy_for_a_moment_is_asked_again(status: int) -> None:
    with answers(("HEAD", status, {}), ("HEAD", status, {}), ("HEAD", 200, WHOLE)) as (url, asked):
        assert identity_of(url, []) == {"path": url, **KNOWN}
    assert asked == ["HEAD"] * 3


@pytest.mark.slow
def test_a_signature_that_holds_for_get_alone_still_tells_what_the_file_is() -> None:
    part = {**WHOLE, "Content-Length": "1", "Content-Range": "bytes 0-0/99"}
    with answers(("HEAD", 403, {}), ("GET", 206, part)) as (url, asked):
        assert identity_of(f"{url}?X-Amz-Signature=abc", []) == {"path": url, **KNOWN}
    assert asked == ["HEAD", "GET"]


@pytest.mark.slow
@pytest.mark.parametrize("status", [404, 403, 503])
def test_of_a_server_that_says_nothing_only_the_path_is_known(status: int) -> None:
    with answers(*[(method, status, {}) for method in ["HEAD"] * 4 + ["GET"] * 4]) as (url, _):
        assert identity_of(url, []) == {"path": url}
    assert identity_of("http://127.0.0.1:9/a.tif", []) == {"path": "http://127.0.0.1:9/a.tif"}


@pytest.mark.slow
def test_a_name_and_a_password_are_used_and_not_kept() -> None:
    with answers(("HEAD", 200, WHOLE)) as (url, asked):
        assert identity_of(url.replace("://", "://me:s%40crit@"), []) == {"path": url, **KNOWN}
    assert asked == ["HEAD"]


def test_local_files_are_known_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"12345")
    os.utime(tmp_path / "a.tif", ns=(0, 1_000_000_000))
    said = identity_of(str(tmp_path / "a.tif"), [])
    assert (said["path"], said["size"]) == (str(tmp_path / "a.tif"), 5)
    assert said != identity_of(str(tmp_path / "a.tif"), []) | {"files": "0"}


def test_gdals_own_endpoint_is_not_asked_by_another_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:9")
    assert identity_of("/vsis3/bucket/a.tif", []) == {"path": "/vsis3/bucket/a.tif"}


def test_another_chunk_of_a_zarr_is_another_source(tmp_path: Path) -> None:
    array = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2).create_array(
        "v", shape=(40, 50), chunks=(20, 25), dtype="uint16"
    )
    array[:] = 7
    name = f'ZARR:"{tmp_path}/a.zarr":/v'
    before = open_source(SourceConfig(path=name)).identity()
    assert open_source(SourceConfig(path=name)).identity() == before
    array[0, 0] = 8
    assert open_source(SourceConfig(path=name)).identity() != before
