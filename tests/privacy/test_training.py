"""A training that redacts names its scenes nowhere, and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.privacy.forget import forget
from tests.train.conftest import job, pair  # noqa: F401  fixtures
from tests.train.test_train import trained


@pytest.mark.slow
@pytest.mark.nightly("training")
@pytest.mark.parametrize("redact", [False, True])
def test_files_of_a_training_name_no_scene(
    tmp_path: Path,
    job: Callable[..., Path],  # noqa: F811
    redact: bool,
) -> None:
    config = job()
    key = f"output.redact={str(redact).lower()}"
    done, said = trained(config, key, "training.rounds=1")
    forget()
    again, _ = trained(config, key, "training.rounds=1")
    assert (again.rounds, done.rounds) == (1, 1)
    own = {config, tmp_path / "image.tif", tmp_path / "labels.tif"}
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file not in own]
    names = {file.name for file in files if b"image.tif" in file.read_bytes()}
    assert names == (set() if redact else {"net.card.md", "net.training.html", "last.ckpt"})
    assert ("image.tif" in "".join(said)) is False
