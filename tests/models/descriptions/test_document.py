"""YAML that would fill the memory, or is none, is refused by name."""

from __future__ import annotations

import pytest

from pipeline.errors import ModelError
from pipeline.models.descriptions.document import MAX_BYTES, parse_document

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "refers to parts of itself"),
        ("a: &a [*a]", "refers to parts of itself"),
        ("a: " + "[" * 41 + "]" * 41, "nests more than 40"),
        ("a: !!python/object/apply:os.system [ls]", "is not valid YAML"),
        ("a: [1", "is not valid YAML at line"),
        ("- a", "holds no sections"),
        ("a: " + "x" * MAX_BYTES, "more than the 262,144 bytes"),
    ],
)
def test_what_is_no_description_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=f"^rdf.yaml .*{reason}"):
        parse_document(text.encode(), "rdf.yaml")


def test_a_part_may_be_referred_to_as_writers_of_yaml_do() -> None:
    read = parse_document(b"a: &id001 [{name: A}]\nb: &id002 [*id001]\nc: *id002\nd: &x y\ne: *x\n", "rdf.yaml")
    assert (read["c"], read["e"]) == ([[{"name": "A"}]], "y")
