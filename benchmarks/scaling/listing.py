"""The records of very many blocks listed from object storage that is not there: a server makes up its pages.

What is real is the client: its requests, the memory that it takes and the time that it computes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import psutil

from benchmarks.scaling import table
from pipeline.locations import Remote
from pipeline.store.ledger import Ledger

PAGE = 1000
"""Keys that storage names at the most in one answer."""
STORE = Remote("s3://many/a.zarr")


def measure(side: int) -> str:
    """Count the records of ``side``² blocks."""
    with _served(side) as asked:
        next(Ledger(STORE, layer="mask").rows())  # the client is made, and its code is imported
        before, cpu, memory = asked(), time.process_time(), psutil.Process().memory_info().rss
        count, peak = 0, memory
        for records in Ledger(STORE, layer="mask").rows():
            count += len(records.committed)
            peak = max(peak, psutil.Process().memory_info().rss)
        cpu = time.process_time() - cpu
        requests = asked() - before
    head = ["records", "requests", "CPU s", "growth MiB"]
    return table(head, [[f"{count:,}", f"{requests:,}", f"{cpu:.1f}", f"{(peak - memory) / 2**20:.0f}"]])


@contextmanager
def _served(side: int) -> Iterator[Callable[[], int]]:
    """A server in another process; yields what tells how often it was asked."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(side, theirs), daemon=True)
    server.start()
    endpoint = f"http://127.0.0.1:{ours.recv()}"
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_NO_SIGN_REQUEST="YES", AWS_REGION="us-east-1")

    def asked() -> int:
        ours.send(None)
        return int(ours.recv())

    try:
        yield asked
    finally:
        server.kill()
        server.join()


def _serve(side: int, connection: Connection) -> None:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(self.path)
            body = page(side, parse_qs(urlsplit(self.path).query)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection.send(server.server_address[1])
    while True:
        connection.recv()
        connection.send(len(requests))


def page(side: int, query: dict[str, list[str]]) -> str:
    """One answer to ListObjectsV2: keys of records in order, and where the next page begins."""
    start = int(query.get("continuation-token", ["0"])[0])
    stop = min(start + min(PAGE, int(query.get("max-keys", [str(PAGE)])[0])), side * side)
    contents = "".join(
        f"<Contents><Key>a.zarr/0/mask/ledger/r{k // side:05d}/b{k % side:05d}.json</Key>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0&quot;</ETag><Size>400</Size></Contents>"
        for k in range(start, stop)
    )
    more = stop < side * side
    token = f"<NextContinuationToken>{stop}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>many</Name>'
        f"<Prefix>{escape(query.get('prefix', [''])[0])}</Prefix><KeyCount>{stop - start}</KeyCount>"
        f"<MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
    )
