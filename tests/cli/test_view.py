"""``wholecloth view`` as it is typed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import ExtraError, InputError, StoreError
from pipeline.runtime import optional_imports
from tests.commands import Command
from tests.viewer import stores


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stores.whole(tmp_path_factory.mktemp("view") / "a.zarr")


@pytest.mark.slow
def test_the_link_is_the_first_line_and_ctrl_c_is_a_regular_end(store: Path) -> None:
    words = [sys.executable, "-m", "pipeline", "view", str(store), "--no-browser", "--port", "0"]
    with Command(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        link, advice, tunnel = (command.stdout.readline().strip() for _ in range(3))
        home, _, token = link.partition("/?token=")
        port = int(home.removeprefix("http://127.0.0.1:"))
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(link, timeout=20) as answer:
            assert answer.url == f"{home}/"
            assert answer.headers["server"] is None
            assert "view.js" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(home, timeout=20)
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=20)
    assert command.returncode == 0, errors
    assert errors == ""
    assert len(token) >= 32
    assert "Ctrl-C" in advice
    assert tunnel.startswith(f"From another machine: ssh -L {port}:127.0.0.1:{port} ")


def test_a_port_that_is_taken_is_told(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = CliRunner().invoke(app, ["view", str(store), "--no-browser", "--port", str(port)]).exception
    assert isinstance(error, InputError)
    assert f"Port {port} of 127.0.0.1 cannot be had" in str(error)


def test_what_is_no_store_is_told_before_a_port_is_opened(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["view", str(tmp_path), "--no-browser"])
    assert isinstance(outcome.exception, StoreError)
    assert outcome.stdout == ""


def test_the_extra_is_named_where_its_libraries_are_missing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> ModuleType:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(optional_imports.importlib, "import_module", import_module)
    error = CliRunner().invoke(app, ["view", str(store)]).exception
    assert isinstance(error, ExtraError)
    assert "pip install 'wholecloth[view]'" in str(error)
