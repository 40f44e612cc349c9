"""Each test begins in a process that conceals nothing, with a user's folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.privacy.forget import forget


@pytest.fixture(autouse=True)
def _conceals_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHOLECLOTH_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("WHOLECLOTH_REDACT_KEY", raising=False)
    forget()
