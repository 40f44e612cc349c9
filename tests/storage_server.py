"""The server of `tests.storage`, by itself: S3 by moto, which writes down what it is asked and fails as it is told."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from socket import SHUT_RDWR
from threading import Lock
from typing import Any


class Faulty:
    """WSGI before moto: notes each request, and fails some.

    Objects are put one after another, as S3's conditions are atomic.
    """

    def __init__(self, app: Any, log: Path) -> None:
        self.app, self.log, self.rules = app, log.open("a", buffering=1), []
        self.lock, self.puts = Lock(), Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/-/rules":
            self.rules = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        asked = f"{path}?{environ['QUERY_STRING']}".rstrip("?")
        rule = self._rule(method, asked)
        if rule and rule.get("die"):
            os._exit(1)
        if rule and "hang" in rule:
            time.sleep(rule["hang"])
        if rule and rule.get("lost"):
            b"".join(self._pass(environ, lambda *_: None, method, asked))
            environ["werkzeug.socket"].shutdown(SHUT_RDWR)
            raise ConnectionAbortedError("the answer is lost")
        if rule and "status" in rule:
            return self._fail(environ, start, method, asked, rule["status"])
        return self._pass(environ, start, method, asked)

    def _rule(self, method: str, asked: str) -> dict[str, Any] | None:
        with self.lock:
            for rule in self.rules:
                if rule.get("method", method) == method and re.search(rule.get("match", ""), asked):
                    if rule.get("skip", 0) > 0:
                        rule["skip"] -= 1
                    elif rule.get("count", 1) > 0:
                        if "count" in rule:
                            rule["count"] -= 1
                        return dict(rule)
        return None

    def _fail(
        self, environ: dict[str, Any], start: Callable[..., Any], method: str, asked: str, status: int
    ) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self._note(environ, asked, status)
        code = {403: "AccessDenied", 500: "InternalError"}.get(status, "SlowDown")
        body = f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
        start(f"{status} as told", [("Content-Length", str(len(body))), ("Content-Type", "application/xml")])
        return [b"" if method == "HEAD" else body]

    def _pass(self, environ: dict[str, Any], start: Callable[..., Any], method: str, asked: str) -> Iterable[bytes]:
        def noted(status: str, *args: Any) -> Any:
            self._note(environ, asked, int(status.split()[0]))
            return start(status, *args)

        if method != "PUT":
            return self.app(environ, noted)
        with self.puts:
            return list(self.app(environ, noted))

    def _note(self, environ: dict[str, Any], asked: str, status: int) -> None:
        signer = re.search(r"Credential=([^/]+)", environ.get("HTTP_AUTHORIZATION", ""))
        with self.lock:
            self.log.write(json.dumps([environ["REQUEST_METHOD"], asked, status, signer and signer[1]]) + "\n")


def main(log: str) -> None:
    """Serve until killed."""
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            """Say nothing."""

    server = make_server(
        "127.0.0.1", 0, Faulty(create_backend_app("s3"), Path(log)), threaded=True, request_handler=Handler
    )
    print(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
