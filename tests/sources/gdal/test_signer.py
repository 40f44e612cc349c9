"""Signatures: made once while they hold, anew before they end and where they were refused."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.sources.gdal import signer
from pipeline.sources.gdal.expiry import expiry_of
from pipeline.sources.gdal.signer import signer_named

HREF = "https://a.example/x.tif"


def module(folder: Path, body: str) -> str:
    """A signer whose nth call returns what the body makes of ``href`` and ``n``."""
    lines = ["from itertools import count", "numbers = count(1)", "", "", "def sign(href):", "    n = next(numbers)"]
    (folder / "sign.py").write_text("\n".join((*lines, f"    {body}", "")))
    return f"{folder / 'sign.py'}:sign"


def test_an_address_is_signed_once_and_anew_where_the_signature_was_refused(tmp_path: Path) -> None:
    named = signer_named(module(tmp_path, "return f'{href}?sig={n}'"))
    first = named.signed(HREF)
    assert [named.signed(HREF).url, named.signed(f"{HREF}2").url] == [f"{HREF}?sig=1", f"{HREF}2?sig=2"]
    named.renew(HREF, first)
    second = named.signed(HREF)
    named.renew(HREF, first)  # by a thread that failed under the old one
    assert named.signed(HREF) is second
    assert second.url == f"{HREF}?sig=3"


def test_a_signer_travels_as_its_name_and_a_process_has_one(tmp_path: Path) -> None:
    named = signer_named(module(tmp_path, "return f'{href}?sig={n}'"))
    named.signed(HREF)
    text = pickle.dumps(named)
    assert b"sig=" not in text
    assert pickle.loads(text) is named


@pytest.mark.parametrize(
    ("now", "calls"), [(1_000, 1), (1_899, 1), (1_901, 2)], ids=["at once", "before the margin", "in the margin"]
)
def test_a_signature_is_made_anew_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: float, calls: int
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(signer.time, "time", lambda: clock[0])
    monkeypatch.setattr(signer, "MARGIN_S", 100)
    named = signer_named(module(tmp_path, "return {'href': f'{href}?sig={n}', 'expires': 2_000 * n}"))
    named.signed(HREF)
    clock[0] = now
    assert named.signed(HREF).url.endswith(f"sig={calls}")


@pytest.mark.parametrize(
    ("query", "expiry"),
    [
        ("se=2026-01-02T03:04:05Z&sp=r&sig=x", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()),
        ("X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-Signature=x", 1767323105.0),
        ("X-Goog-Date=20260102T030405Z&X-Goog-Expires=60", 1767323105.0),
        ("Expires=1767323105&Signature=x", 1767323105.0),
        ("se=sweden&sig=x", None),
        ("version=3", None),
    ],
)
def test_addresses_that_say_when_they_end_are_believed(query: str, expiry: float | None) -> None:
    assert expiry_of(f"{HREF}?{query}") == expiry


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "returned NoneType that is no address"),
        ("return '/etc/passwd'", "returned str that is no address"),
        ("raise KeyError('SECRET')", "failed with KeyError on https://a.example/x.tif"),
    ],
)
def test_a_callable_that_signs_nothing_is_explained_without_its_secrets(
    tmp_path: Path, body: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        signer_named(module(tmp_path, body)).signed(HREF)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "message"), [("none.py:sign", "cannot be imported"), ("json:sign", "no callable sign")]
)
def test_a_callable_that_is_not_there_is_named(tmp_path: Path, name: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        signer_named(str(tmp_path / name) if name.startswith("none") else name).signed(HREF)
