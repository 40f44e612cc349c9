"""A browser of tests, which asks the application in its own process."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from pipeline.viewer.access import Access
from pipeline.viewer.app import build_app
from pipeline.viewer.view import StoreView

HOME = "http://127.0.0.1:8000"


def open_page(path: Path, allow_source: bool = False) -> TestClient:
    """A client that has come by the link."""
    access = Access()
    client = TestClient(build_app(StoreView(path, allow_source), access), base_url=HOME)
    assert client.get(f"/?token={access.token}").status_code == 200
    return client


def tile(client: TestClient, url: str) -> np.ndarray:
    """(256, 256, 4) colours of a tile."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def colored(codes: np.ndarray, classes: tuple) -> np.ndarray:
    """(rows, cols, 4) what a tile of these codes looks like, which other codes do not."""
    colors = np.zeros((*codes.shape, 4), dtype="uint8")
    for row in classes:
        colors[codes == row.code] = (*row.rgb, 255)
    return colors
