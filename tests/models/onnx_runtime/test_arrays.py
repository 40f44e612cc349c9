"""A session of onnxruntime is opened once, however many tiles ask for it at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline.models.onnx_runtime import arrays
from pipeline.models.onnx_runtime.arrays import OnnxSession


def test_tiles_that_are_computed_at_once_share_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[object]()

    def opening(*_: object) -> object:
        time.sleep(0.05)
        opened.append(object())
        return opened[-1]

    monkeypatch.setattr(arrays, "open_session", opening)
    session, sessions = OnnxSession(Path("net.onnx"), "y"), list[object]()
    tiles = [threading.Thread(target=lambda: sessions.append(session.with_threads(1))) for _ in range(4)]
    for tile in tiles:
        tile.start()
    for tile in tiles:
        tile.join()
    assert sessions == 4 * opened
    assert len(opened) == 1
    assert session.with_threads(2) is not sessions[0]
