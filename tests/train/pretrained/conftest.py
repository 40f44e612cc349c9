import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.train.pretrained.server import Server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server, and an empty cache."""
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path))
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
