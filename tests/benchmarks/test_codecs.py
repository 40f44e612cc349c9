"""The comparison of codecs in its small form.

Every codec gives back what it was given, and the sizes are what they must be.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import codecs
from pipeline.store.lifecycle import create
from tests.store import specs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_small_form_runs_on_a_store(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", specs.spec(), {})
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "codecs.py"), str(tmp_path / "a.zarr"), "--small"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mask of a.zarr" in done.stdout
    assert all(done.stdout.count(f"| {name} |") >= 2 for name in codecs.CODECS)


def test_sizes_lie_between_the_entropy_and_the_bytes_given() -> None:
    found = codecs.measure(codecs.noise(128, 2), 1)
    for name, (size, encode, decode) in found.items():
        assert np.log2(5) / 8 < size < 1.01, name
        assert min(encode, decode) > 0
    assert found["zstd 9"][0] < found["lz4"][0]


def test_a_codec_that_gives_other_bytes_back_is_told() -> None:
    class Broken:
        def encode(self, chunk: Any) -> bytes:
            return bytes(chunk)

        def decode(self, data: bytes) -> bytes:
            return bytes(len(data))

    with pytest.raises(RuntimeError, match="other bytes"):
        codecs.once(Broken(), [np.ones((4, 4), "uint8")])
