"""The job for cron, run for real: over the public command, and over stand-ins for its failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.store.status import status
from tests import scenes

NIGHTLY = Path(__file__).resolve().parents[2] / "workflows" / "nightly.sh"


def nightly(config: Path, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "WHOLECLOTH": command, "PAUSE": "0", "TMPDIR": str(folder)}
    return subprocess.run(["bash", str(NIGHTLY), str(config)], env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_nightly_job_runs_a_config_to_its_end(tmp_path: Path) -> None:
    done = nightly(scenes.config(tmp_path), f"{sys.executable} -m pipeline", tmp_path)
    assert done.returncode == 0, done.stderr
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize(
    ("codes", "expected", "tries"), [([75, 1, 0], 0, 3), ([2, 0], 2, 1), ([75, 75, 75, 0], 75, 3), ([3], 3, 1)]
)
def test_only_what_may_pass_is_tried_again(tmp_path: Path, codes: list[int], expected: int, tries: int) -> None:
    log, stand_in = tmp_path / "log", tmp_path / "stand_in.sh"
    stand_in.write_text(
        f'#!/usr/bin/env bash\necho "$@" >> {log}\ncodes=({" ".join(map(str, codes))})\nexit '
        f"${{codes[$(wc -l < {log}) - 1]}}\n"
    )
    done = nightly(tmp_path / "a.yaml", f"bash {stand_in}", tmp_path)
    assert done.returncode == expected
    assert log.read_text().splitlines() == [f"run {tmp_path / 'a.yaml'}"] * tries
