"""The key of stand-ins: given, kept with the user, or of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.privacy.key import _users_key, redaction_key
from pipeline.privacy.stand_in import stand_in, stand_ins_in


def test_a_key_is_made_once_and_kept_for_its_user_alone(tmp_path: Path) -> None:
    key, file = redaction_key(), tmp_path / "state" / "redact.key"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (key, 0o600)
    assert [other.name for other in file.parent.iterdir()] == ["redact.key"]
    _users_key.cache_clear()
    assert redaction_key() == key


def test_stand_ins_of_two_keys_differ_and_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = {stand_in("/data/p1.tif")}
    for key in ("a" * 32, "b" * 32):
        monkeypatch.setenv("WHOLECLOTH_REDACT_KEY", key)
        tokens.add(stand_in("/data/p1.tif"))
        assert stand_in("/data/p1.tif") != stand_in("/data/p2.tif")
    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {len("redacted://") + 32}


def test_a_short_key_and_a_broken_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "redact.key").write_text("short")
    with pytest.raises(ConfigError, match="Delete the file, and another is made"):
        redaction_key()
    monkeypatch.setenv("WHOLECLOTH_REDACT_KEY", "patient")
    with pytest.raises(ConfigError, match="openssl rand -hex 32"):
        redaction_key()


def test_without_a_folder_the_key_is_that_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, where a folder would be")
    key = redaction_key()
    assert (len(key), redaction_key()) == (32, key)
    _users_key.cache_clear()
    assert redaction_key() != key


def test_stand_ins_are_met_by_their_keys() -> None:
    token = stand_in("/p/1.tif")
    assert stand_ins_in({"source": {"path": {"red": token}, "aoi": {"path": token}, "bands": [1]}}) == [
        "source.path.red",
        "source.aoi.path",
    ]
    assert (stand_in(token), stand_in("sample://ihc")) == (token, "sample://ihc")
