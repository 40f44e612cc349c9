"""JSON that would fill the memory, or is none, is refused by name."""

from __future__ import annotations

import pytest

from pipeline.errors import ModelError
from pipeline.models.descriptions.document import MAX_BYTES
from pipeline.models.descriptions.json_document import parse_json_document


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "nests more than 40"),
        ("[" * 100_000, "nests more than 40"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1', "is not valid JSON"),
        ("[1]", "holds no entries"),
        ('{"a": "' + "x" * MAX_BYTES + '"}', "may have 262,144"),
    ],
    ids=range(6),
)
def test_what_is_no_description_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=f"^config.json .*{reason}"):
        parse_json_document(text.encode(), "config.json")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ModelError, match=r"config\.json is not valid JSON"):
        parse_json_document(b'{"a": "\xff"}', "config.json")


def test_brackets_in_a_text_nest_nothing() -> None:
    text = '{"a": "' + "[" * 50 + '\\"{", "b": {"c": [1, 2]}}'
    assert parse_json_document(b"\xef\xbb\xbf" + text.encode(), "a")["b"] == {"c": [1, 2]}
