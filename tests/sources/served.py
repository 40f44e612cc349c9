"""A server of byte ranges on the loopback that writes down what was asked of it.

GDAL holds the interpreter while it opens, so it is a process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

LOCK = Lock()


@dataclass(frozen=True)
class Served:
    """A folder that is served, and what was asked of it."""

    url: str
    log: Path

    @property
    def asked(self) -> list[tuple[str, str, int, int]]:
        """(method, path, status, bytes sent) of each request, in order."""
        return [tuple(json.loads(line)) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def hang(self) -> None:
        """From now on ranges are not answered, and lines not closed."""
        hung(self.log).touch()

    @property
    def sent(self) -> int:
        """Bytes of all bodies."""
        return sum(size for *_, size in self.asked)


def hung(log: Path) -> Path:
    """A file that is there while the server hangs."""
    return log.with_name(f"{log.name}.hangs")


@contextmanager
def served(folder: Path, log: Path, faults: int = 0) -> Iterator[Served]:
    """Serve a folder for a while; so many requests for ranges are answered by 503 first."""
    command = [sys.executable, "-u", __file__, str(folder), str(log), str(faults)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield Served(server.stdout.readline().strip(), log)
        finally:
            server.kill()


class Handler(BaseHTTPRequestHandler):
    """GET, with a range or without, and HEAD."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder: Path
    log: Path
    faults = 0

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        file = self.folder / self.path.partition("?")[0].lstrip("/")
        if "Range" in self.headers and hung(self.log).exists():
            time.sleep(600)
        elif self._fails():
            self._send(503, b"", {})
        elif not file.is_file():
            self._send(404, b"", {})
        else:
            self._part(file.read_bytes())

    def _fails(self) -> bool:
        with LOCK:
            failing = type(self).faults > 0 and "Range" in self.headers
            type(self).faults -= failing
        return failing

    def _part(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._send(200, data, {"Accept-Ranges": "bytes", "ETag": '"1"'})
            return
        start, stop = int(asked[1]), min(int(asked[2] or len(data)) + 1, len(data))
        self._send(206, data[start:stop], {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}", "ETag": '"1"'})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        body = data if self.command == "GET" else b""
        with LOCK, self.log.open("a") as log:
            log.write(json.dumps([self.command, self.path, code, len(body)]) + "\n")
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def main(folder: str, log: str, faults: str) -> None:
    """Serve until killed."""
    mine = type("Mine", (Handler,), {"folder": Path(folder), "log": Path(log), "faults": int(faults)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), mine)
    print(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
