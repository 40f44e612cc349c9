"""A hub of model repositories on the loopback: as much of its interface as files, revisions and their refusals need."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests import scenes

FIRST, SECOND = "a" * 40, "b" * 40
"""Commits."""


@dataclass
class Hub:
    """What it has, how it answers, and what was asked."""

    url: str = ""
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by their names, of each commit of the repository ``owner/nets``."""
    branches: dict[str, str] = field(default_factory=lambda: {"main": FIRST})
    status: int = 200
    """What every request is answered with, where it is another one."""
    code: str = ""
    """The hub's word for what is wrong."""
    token: str = ""
    """Without it nobody is answered, where it is there."""
    flips: bool = False
    """Whether files arrive with a byte changed."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""

    def file(self, revision: str, name: str) -> tuple[str, bytes | None] | None:
        """The commit and the file; None where there is no such revision."""
        commit = self.branches.get(revision, revision)
        return (commit, self.commits[commit].get(name)) if commit in self.commits else None


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub for a while."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (Answer,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def connected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with two commits of one network, for a process with an empty cache in which nobody is logged in."""
    constants = pytest.importorskip("huggingface_hub.constants")
    from huggingface_hub import close_session

    with serve() as hub:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(folder / "cache"),
            "HF_TOKEN_PATH": str(folder / "token"),
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        close_session()
        network = scenes.unet(folder).read_bytes()
        hub.commits = {
            FIRST: {"deep/unet.pt": network, "README.md": b"of one"},
            SECOND: {"deep/unet.pt": network + b" ", "README.md": b"of two"},
        }
        yield hub
        close_session()


class Answer(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, path = self.hub, unquote(self.path.partition("?")[0])
        hub.asked.append((self.command, path))
        if hub.status != 200:
            self.reply(hub.status, {"X-Error-Code": hub.code} if hub.code else {})
        elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self.reply(401, {"X-Error-Code": "RepoNotFound"})
        elif match := re.fullmatch(r"/owner/nets/resolve/([^/]+)/(.+)", path):
            self.file(*match.groups())
        elif match := re.fullmatch(r"/api/models/owner/nets/revision/(.+)", path):
            self.listing(match[1])
        elif path == "/api/models/owner/nets/refs":
            names = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": at} for name, at in hub.branches.items()
            ]
            self.document({"branches": names, "tags": [], "converts": []})
        else:
            self.reply(404, {"X-Error-Code": "RepoNotFound"})

    def file(self, revision: str, name: str) -> None:
        entry = self.hub.file(revision, name)
        if entry is None:
            return self.reply(404, {"X-Error-Code": "RevisionNotFound"})
        commit, content = entry
        if content is None:
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        headers = {
            "X-Repo-Commit": commit,
            "ETag": '"of-the-pointer"',
            "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Linked-Size": str(len(content)),
        }
        return self.reply(200, headers, bytes([content[0] ^ 1]) + content[1:] if self.hub.flips else content)

    def listing(self, revision: str) -> None:
        commit = self.hub.branches.get(revision, revision)
        names = [{"rfilename": name} for name in self.hub.commits[commit]]
        self.document({"id": "owner/nets", "sha": commit, "siblings": names})

    def document(self, content: dict[str, Any]) -> None:
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def reply(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        pass
