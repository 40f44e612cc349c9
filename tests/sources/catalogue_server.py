"""A catalogue on the loopback: files by ranges, a STAC API over them, and faults as a test tells it.

GDAL holds the interpreter while it opens, so it is a process of its own: ``python -m tests.sources.catalogue_server``.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

LOCK = Lock()
CONFORMS = [f"https://api.stacspec.org/v1.0.0/{name}" for name in ("core", "item-search", "item-search#query")]
PAGE = 2


class Catalogue(BaseHTTPRequestHandler):
    """What is asked for goes by the rules first, then by signature, then to a file."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder: Path
    rules: ClassVar[list[dict[str, Any]]] = []
    log: ClassVar[list[dict[str, Any]]] = []
    uses: ClassVar[dict[str, int]] = {}
    """Requests under each signature."""
    revoked: ClassVar[set[str]] = set()
    """Signatures that were used before the rules."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes) -> None:
        if self.path == "/-/rules":
            with LOCK:
                Catalogue.rules, Catalogue.log, Catalogue.revoked = json.loads(body), [], {*self.uses}
            self._send(200, b"", {})
        elif self.path == "/-/log":
            self._send(200, json.dumps(self.log).encode(), {})
        elif (rule := self._rule()) is not None:
            self._send(rule.get("status", 302), b"", rule.get("headers", {}))
        else:
            self._serve(body)

    def _rule(self) -> dict[str, Any] | None:
        """The first rule that fits: of a request, its count, and the uses of its signature."""
        with LOCK:
            signature = self._signature
            self.uses[signature] = self.uses.get(signature, 0) + 1
            for rule in self.rules:
                if not re.search(rule["match"], self.path) or rule.get("host", "") not in self.headers["Host"]:
                    continue
                if "uses" in rule and signature and self.uses[signature] <= rule["uses"]:
                    continue
                if rule.get("revokes") and signature not in self.revoked:
                    continue
                if rule.get("skip", 0) > 0:
                    rule["skip"] -= 1
                elif rule.get("count", 1) > 0:
                    rule["count"] = rule.get("count", 10**9) - 1
                    return rule
        return None

    @property
    def _signature(self) -> str:
        return parse_qs(urlsplit(self.path).query).get("sig", [self.headers.get("Authorization") or ""])[0]

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        file = self.folder / parts.path.lstrip("/")
        if parts.path.endswith("/search"):
            self._send(200, self._page(file.with_name("items.json"), parse_qs(parts.query), body), {})
        elif file.is_dir():
            self._send(200, json.dumps(self._landing(parts.path.rstrip("/"))).encode(), {})
        elif file.is_file():
            self._part(file.read_bytes())
        else:
            self._send(404, b"", {})

    def _page(self, items: Path, query: dict[str, list[str]], body: bytes) -> bytes:
        features, start = json.loads(items.read_text()), int(query.get("start", ["0"])[0])
        links = []
        if start + PAGE < len(features):
            links = [{"rel": "next", "href": f"{self._base}{urlsplit(self.path).path}?start={start + PAGE}"}]
        page = {"type": "FeatureCollection", "features": features[start : start + PAGE], "links": links}
        return json.dumps(page).encode()

    def _landing(self, path: str) -> dict[str, Any]:
        url = f"{self._base}{path}"
        links = [
            {"rel": "root", "href": url},
            {"rel": "search", "href": f"{url}/search", "method": "POST", "type": "application/geo+json"},
        ]
        catalogue = {"type": "Catalog", "stac_version": "1.1.0", "id": "tests", "description": "tests"}
        return {**catalogue, "conformsTo": CONFORMS, "links": links}

    @property
    def _base(self) -> str:
        return f"http://{self.headers['Host']}"

    def _part(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        tag = {"ETag": f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"', "Accept-Ranges": "bytes"}
        if asked is None:
            self._send(200, data, tag)
            return
        start, stop = int(asked[1]), min(int(asked[2] or len(data)) + 1, len(data))
        self._send(206, data[start:stop], {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}", **tag})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        if not self.path.startswith("/-/"):
            kept = {name: self.headers.get(name) for name in ("Host", "Authorization", "Range")}
            with LOCK:
                self.log.append({"method": self.command, "path": self.path, "status": code, **kept})
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def main(folder: str) -> None:
    """Serve until killed."""
    Catalogue.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Catalogue)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
